"""An endpoint for webhooks of mailer: WEBHOOK_SECRET=$(mailer hooks rotate shop) python webhook_receiver.py 8080"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError  # pip install standardwebhooks

webhook, seen = Webhook(os.environ["WEBHOOK_SECRET"]), set[str]()  # seen is a table in production: an event may come again


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = webhook.verify(body, dict(self.headers))  # who posts, and that it was within five minutes
        except WebhookVerificationError as error:
            self.send_error(401, str(error))
            return
        self.send_response_only(204)  # within ten seconds; what takes long comes after the answer
        self.end_headers()
        if (id := self.headers["webhook-id"]) not in seen:
            seen.add(id)
            print(event["type"], event["data"]["to"], event["data"]["reply"], flush=True)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print(f"listening on port {server.server_port}", flush=True)
server.serve_forever()
