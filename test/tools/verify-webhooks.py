# Reads a JSON list of {secret, headers, body} and writes for each whether the official Standard Webhooks library accepts it: "ok" or what it says.
import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def verdict(case):
    try:
        Webhook(case["secret"]).verify(case["body"], case["headers"], json_parse=False)
        return "ok"
    except WebhookVerificationError as error:
        return str(error)


json.dump([verdict(case) for case in json.load(sys.stdin)], sys.stdout)
