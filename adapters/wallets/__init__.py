"""Wallets and apps that send payment events: one file a sender, each turning its shape into ours."""
