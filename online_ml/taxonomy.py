"""The categories the engine predicts, what each means, and how coarse labels of other data sets map onto them.

A slug is what travels: on the wire, in events, in budgets. It is never renamed; a finer category is added beside it.
Spending categories follow what a person would budget for, not what a bank sells. The user's own categories may be any
other slug: the categoriser never predicts those.
"""

from engine.kinds import UNCATEGORISED

CATEGORIES: dict[str, str] = {
    "food": "eating out, cafes, bars, delivery of meals, sweets",
    "groceries": "food and household goods to take home: supermarkets, kirana, dairy, vegetables",
    "transport": "getting around town: bus, metro, commuter rail, taxi, ride hailing, tolls, parking",
    "travel": "trips: flights, long-distance trains and coaches, hotels, agencies, car rental on a trip",
    "fuel": "petrol, diesel, gas for a vehicle, charging",
    "shopping": "clothes, electronics, marketplaces, books, gifts, furniture and other goods",
    "entertainment": "cinema, streaming, music, games, events, sport and clubs",
    "health": "doctors, hospitals, pharmacies, laboratories, opticians, fitness prescribed or not sold as a club",
    "bills": "electricity, water, cooking gas, telephone, internet, television, post and couriers",
    "rent": "rent, mortgage instalments, society maintenance",
    "education": "schools, colleges, courses, tuition, exam fees",
    "insurance": "premiums of any kind",
    "personal_care": "hairdressers, beauty, cosmetics, spas",
    "home": "repairs, cleaning, domestic help, contractors, gardening",
    "pets": "vets, food and supplies for animals",
    "vehicle": "service, parts, washing, buying or leasing a vehicle",
    "donations": "charities, temples and churches, political and civic bodies",
    "government": "taxes, fines, passports and other public fees",
    "services": "professional, business and personal services that have no category of their own",
    "cash": "cash taken out; what it bought is not known",
    "fees": "charges and interest taken by banks, cards and wallets",
    "loans": "repayment of loans and of cards that are not linked",
    "transfer": "money moved between a person's own accounts or sent to others by name",
    "investment": "funds, shares, deposits, gold, pension: money put aside",
    "income": "salary, pension, interest, dividends, cashback and other money received",
    UNCATEGORISED: "not known with enough confidence",
}

COARSE: dict[str, str] = {
    "dining": "food",
    "groceries": "groceries",
    "transport": "transport",
    "travel": "travel",
    "fuel": "fuel",
    "shopping": "shopping",
    "entertainment": "entertainment",
    "health": "health",
    "bills_utilities": "bills",
    "rent_housing": "rent",
    "education": "education",
    "insurance": "insurance",
    "personal_care": "personal_care",
    "home_services": "home",
    "pets": "pets",
    "vehicle": "vehicle",
    "donations": "donations",
    "government_tax": "government",
    "services_other": "services",
    "finance_cash": "cash",
    "fees": "fees",
    "transfer": "transfer",
    "investment_savings": "investment",
    "income": "income",
}
"""Coarse labels of the development data and of the MCC mapping, in this taxonomy."""
