"""Hand many mails to the API with httpx in one request; each is mailed once:  MAILER_KEY=mlr_... python api_httpx.py URL PERSON..."""

import asyncio
import os
import sys

import httpx

api, *people = sys.argv[1:]
mails = [
    {"request_id": f"news-2030-01/{person}", "from": "news@example.com", "to": [person], "subject": "News", "text": "It is January."}
    for person in people
]


async def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ['MAILER_KEY']}"}
    async with httpx.AsyncClient(base_url=api, headers=headers, timeout=60) as client:
        answer = await client.post("/send_emails", json=mails)
        found = answer.json()
        results = found if answer.status_code == 202 else found.get("results") or [found] * len(people)  # one for each, in order
        for person, result in zip(people, results, strict=True):
            print(person, result["error"]["message"] if "error" in result else result["id"])


asyncio.run(main())
