"""Receive webhooks: verify each, and append it to a file once.

    python3 receive.py 3000 events.jsonl

Setting: WEBHOOK_SECRET, which the registration of the endpoint has answered.
Answer with 2xx only when the event is on disk: what is not answered so comes again.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from payouts import verify

LARGEST = 1 << 20
writing = Lock()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST:
            return self.answer(413)
        body = self.rfile.read(length)
        try:
            event = verify(os.environ["WEBHOOK_SECRET"], dict(self.headers), body)
        except ValueError as error:
            print("refused:", error, file=sys.stderr)
            return self.answer(400)
        with writing:
            if event["id"] not in self.server.seen:  # it may come more than once
                print(json.dumps(event), file=self.server.file, flush=True)
                os.fsync(self.server.file.fileno())
                self.server.seen.add(event["id"])
        return self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main(port, path):
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver)
    server.file = open(path, "a+", encoding="utf-8")
    server.file.seek(0)
    server.seen = {json.loads(line)["id"] for line in server.file}
    print(f"listening at http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
