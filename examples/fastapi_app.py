"""FastAPI: the same with an event loop, which goes on meanwhile. Run: uvicorn --app-dir examples fastapi_app:app"""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import mailer

app = FastAPI()


@app.exception_handler(mailer.Problem)
async def problem(_: Request, error: mailer.Problem) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400 if error.kind == "bad-message" else 503)


@app.post("/orders/{number}", status_code=202)
async def order(number: int, to: str) -> dict[str, str]:
    text = f"Your order {number} is on its way."
    mail = mailer.Email(from_="shop@example.com", to=to, subject=f"Order {number}", text=text)
    return {"mail": await mailer.queue_async(mail, request_id=f"order-{number}")}


@app.get("/mail/{id}")
async def outcome(id: str) -> dict[str, object]:
    return (await mailer.outcome_async(id)).as_json()
