"""Hand a mail to the API with requests; once, however often this runs:  MAILER_KEY=mlr_... python api_requests.py URL PERSON ORDER."""

import os
import sys

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

api, person, order = sys.argv[1:]
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['MAILER_KEY']}"
# A request that has a request_id may be made again: after a lost connection, and when the server says so, as it says (Retry-After).
again = Retry(total=5, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, raise_on_status=False)
session.mount("http://", HTTPAdapter(max_retries=again))
session.mount("https://", HTTPAdapter(max_retries=again))

mail = {"request_id": order, "from": "shop@example.com", "to": [person], "subject": "Your order", "text": f"{order} is on its way."}
answer = session.post(f"{api}/send_email", json=mail, timeout=30)
if answer.status_code != 202:
    sys.exit(f"not sent: {answer.json()['error']['message']}")
taken = answer.json()
print(taken["id"], "again" if taken["repeat"] else "new")

for each in session.get(f"{api}/status/{taken['id']}", timeout=30).json()["recipients"]:
    print(each["address"], each["status"])
