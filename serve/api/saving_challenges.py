"""Saving challenges: the catalogue, one's own, beginning and giving up. (The second factor is `challenges.py`.)"""

from engine.commands.saving_challenges import ChallengeTerms, JoinChallenge, LeaveChallenge
from engine.rewards.saving_challenges import ChallengesView, ChallengeView, GetChallenges
from serve.api.paging import PageQuery
from serve.api.routing import Answer, Call, route


async def list_challenges(call: Call) -> Answer:
    """List what can be begun, and one's own: running ones, then the last that are over."""
    return await call.ask(GetChallenges(limit=call.query.limit, cursor=call.query.cursor))


async def join_challenge(call: Call) -> Answer:
    """Begin a challenge, alone or, by one's own choice, on a leaderboard under a pseudonym."""
    body: ChallengeTerms = call.body
    return await call.tell(JoinChallenge(**{name: getattr(body, name) for name in body.__struct_fields__}), 201)


async def leave_challenge(call: Call) -> Answer:
    """Give a challenge up; its score leaves the leaderboard."""
    return await call.tell(LeaveChallenge(challenge_id=call.path["challenge_id"]))


ROUTES = [
    route("GET /challenges", list_challenges, tag="challenges", query=PageQuery, answer=ChallengesView),
    route("POST /challenges", join_challenge, tag="challenges", body=ChallengeTerms, answer=ChallengeView, status=201),
    route("POST /challenges/{challenge_id}/leave", leave_challenge, tag="challenges", answer=ChallengeView),
]
