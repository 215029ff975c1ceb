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
    ("/name_fa", "too_long"),
    ("/external_refs", "too_many_items"),
    ("/known_at", "in_future"),
    ("/sort", "repeated"),
    ("/q", "too_many_words"),
}

# A date that its calendar cannot have, or that lies outside the years that both calendars can write.
DAYS = {"no_such_day", "out_of_range"}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if type(failure).__name__ not in ("RejectedPositiveData", "AcceptedNegativeData", "MissingHeaderNotRejected"):
        return True
    try:
        problem = json.loads(response.content)
    except ValueError:
        return True
    errors = problem.get("errors", [])
    errors = [error for error in errors if error["code"] not in DAYS]
    rules = {("/".join(part for part in error["pointer"].split("/") if not part.isdigit()), error["code"]) for error in errors}
    return not (problem.get("code") in STATE or (problem.get("errors") and rules <= BETWEEN_FIELDS))
