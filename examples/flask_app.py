"""Flask: a view queues mail and answers; the address of its outcome is given back. Run: flask --app examples/flask_app.py run"""

from flask import Flask, jsonify, request

import mailer

app = Flask(__name__)


@app.errorhandler(mailer.Problem)
def problem(error):
    return jsonify(error=str(error)), 400 if error.kind == "bad-message" else 503


@app.post("/orders/<int:number>")
def order(number):
    text = f"Your order {number} is on its way."
    mail = mailer.Email(from_="shop@example.com", to=request.form["to"], subject=f"Order {number}", text=text)
    return jsonify(mail=mailer.queue(mail, request_id=f"order-{number}")), 202  # a form that is sent twice queues once


@app.get("/mail/<id>")
def outcome(id):
    return jsonify(mailer.outcome(id).as_json())
