"""Which refusals of a well-formed request are right: those that depend on the data and not on the shape of the request."""

import json

import schemathesis

# Problems that tell of the state of a record, a list or an earlier request.
STATE = {"stale_version", "precondition_required", "invalid_cursor", "idempotency_key_reused"}

# Rules between fields, which a schema cannot say: pointer (without indexes) and code of the violation.
BETWEEN_FIELDS = {
    ("/isic/primary", "several_primary"),
    ("/isic/code", "repeated_items"),
    ("/employment_female", "too_large"),
    ("/identified_on", "required"),
    ("/identified_on", "not_applicable"),
    ("/identified_on", "in_future"),
    ("/identified_not_later_than", "required"),
    ("/identified_not_later_than", "too_early"),
    ("/effective_on", "in_future"),
    ("/effective_on", "too_early"),
    ("/reason", "required"),
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if type(failure).__name__ not in ("RejectedPositiveData", "AcceptedNegativeData", "MissingHeaderNotRejected"):
        return True
    try:
        problem = json.loads(response.content)
    except ValueError:
        return True
    errors = problem.get("errors", [])
    rules = {("/".join(part for part in error["pointer"].split("/") if not part.isdigit()), error["code"]) for error in errors}
    return not (problem.get("code") in STATE or (rules and rules <= BETWEEN_FIELDS))
