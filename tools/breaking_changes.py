#!/usr/bin/env python3
"""Says what an OpenAPI document breaks for the clients of an earlier one; exit status 1 where it breaks anything that is not intended.

    tools/breaking_changes.py openapi/released.json openapi/openapi.json
    tools/breaking_changes.py --self-test

A client breaks where something is gone (an operation, a parameter, a field, a format), where a request has to hold more than before or
may hold less, and where an answer may hold less or other things. New operations, optional parameters, fields in answers and values in
lists of answers break nothing: clients pass over what they do not know.

Intended breaks stand in intended_breaks.json beside the earlier document, each as this script prints it with the reason: what a client
gains or has to do. An entry that breaks nothing (any more) is an error too. At a release, copy openapi.json to released.json and empty it (`{}`).
"""

import copy
import json
import pathlib
import sys

METHODS = ("get", "put", "post", "patch", "delete")
# Bounds of values: what a greater one does to requests.
LOWER, UPPER = ("minimum", "exclusiveMinimum", "minLength", "minItems"), ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


class Comparison:
    def __init__(self, old, new):
        self.old, self.new, self.found, self.seen = old, new, [], set()

    def report(self, place, text):
        if (place, text) not in self.found:
            self.found.append((place, text))

    @staticmethod
    def resolve(document, part):
        while "$ref" in part:
            target = document
            for name in part["$ref"].removeprefix("#/").split("/"):
                target = target[name.replace("~1", "/").replace("~0", "~")]
            part = target
        return part

    def run(self):
        for path, item in self.old["paths"].items():
            for method in METHODS:
                if method in item:
                    place, new = f"{method.upper()} {path}", self.new["paths"].get(path, {}).get(method)
                    self.report(place, "the operation is gone") if new is None else self.operation(place, item[method], new)
        return self.found

    def operation(self, place, old, new):
        if old.get("operationId") != new.get("operationId"):
            self.report(place, "the operationId is another one: generated clients name it so")
        if lost := set(old.get("x-roles", [])) - set(new.get("x-roles", [])):
            self.report(place, f"the roles {sorted(lost)} may not call it any more")
        self.parameters(place, old, new)
        if "requestBody" in new:
            after = self.resolve(self.new, new["requestBody"])
            before = self.resolve(self.old, old["requestBody"]) if "requestBody" in old else None
            if before is None and after.get("required"):
                self.report(place, "it needs a body now")
            elif before:
                self.content(f"{place}, body", before["content"], after["content"], is_request=True)
        for status, response in old["responses"].items():
            if not status.startswith("2"):
                continue
            if status not in new["responses"]:
                self.report(place, f"it does not answer {status} any more")
                continue
            before, after = self.resolve(self.old, response), self.resolve(self.new, new["responses"][status])
            for header in before.get("headers", {}):
                if header not in after.get("headers", {}):
                    self.report(place, f"the answer has no header {header} any more")
            self.content(f"{place}, answer {status}", before.get("content", {}), after.get("content", {}), is_request=False)

    def parameters(self, place, old, new):
        def named(document, operation):
            resolved = (self.resolve(document, parameter) for parameter in operation.get("parameters", []))
            return {(parameter["in"], parameter["name"]): parameter for parameter in resolved}

        before, after = named(self.old, old), named(self.new, new)
        for key, parameter in before.items():
            if key not in after:
                self.report(place, f"the parameter {key[1]} is gone")
            else:
                self.schema(f"{place}, parameter {key[1]}", parameter["schema"], after[key]["schema"], is_request=True)
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                self.report(place, f"the parameter {key[1]} is needed now")

    def content(self, place, old, new, is_request):
        for media_type, media in old.items():
            if media_type not in new:
                self.report(place, f"{media_type} is gone")
            elif "schema" in media and "schema" in new[media_type]:
                self.schema(place, media["schema"], new[media_type]["schema"], is_request)

    def schema(self, place, old, new, is_request):
        names = (old.get("$ref"), new.get("$ref"), is_request)
        if names[0] and names[1]:
            if names in self.seen:
                return
            self.seen.add(names)
            place = f"{names[0].rsplit('/')[-1]} in {'requests' if is_request else 'answers'}"
        old, new = self.flat(self.old, old), self.flat(self.new, new)
        before, after = self.types(old), self.types(new)
        narrower, wider = before - after, after - before
        if before and after and (narrower if is_request else wider):
            self.report(place, f"its type was {sorted(before)} and is {sorted(after)}")
        self.values(place, old, new, is_request)
        self.properties(place, old, new, is_request)
        if "items" in old and "items" in new:
            self.schema(f"{place}[]", old["items"], new["items"], is_request)

    def values(self, place, old, new, is_request):
        if "enum" in old and is_request:
            if lost := [value for value in old["enum"] if value not in new.get("enum", old["enum"])]:
                self.report(place, f"the values {lost} are not taken any more")
        if not is_request:
            return
        if "enum" in new and "enum" not in old:
            self.report(place, "only listed values are taken now")
        for name in LOWER:
            if name in new and new[name] > old.get(name, float("-inf")):
                self.report(place, f"{name} was {old.get(name)} and is {new[name]}")
        for name in UPPER:
            if name in new and new[name] < old.get(name, float("inf")):
                self.report(place, f"{name} was {old.get(name)} and is {new[name]}")
        for name in ("pattern", "format", "uniqueItems"):
            if new.get(name) and new.get(name) != old.get(name):
                self.report(place, f"{name} was {old.get(name)} and is {new[name]}")

    def properties(self, place, old, new, is_request):
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, given = set(new.get("required", [])) - set(old.get("required", [])), set(old.get("required", [])) - set(new.get("required", []))
        for name, schema in before.items():
            if name in after:
                self.schema(f"{place}.{name}", schema, after[name], is_request)
            elif not is_request or new.get("additionalProperties") is False:
                self.report(place, f"the field {name} is gone")
        if is_request:
            for name in sorted(needed):
                self.report(place, f"the field {name} is needed now")
        else:
            for name in sorted(given & set(after)):
                self.report(place, f"the field {name} may be missing now")

    def flat(self, document, schema):
        """A schema with what its references, `allOf` and the alternatives to null say put together."""
        schema = self.resolve(document, schema)
        flat = {name: value for name, value in schema.items() if name not in ("allOf", "oneOf", "anyOf")}
        parts = [self.flat(document, part) for part in schema.get("allOf", [])]
        alternatives = [self.flat(document, part) for part in schema.get("oneOf", schema.get("anyOf", []))]
        real = [part for part in alternatives if part.get("type") != "null"]
        if len(real) == 1:
            parts.append(real[0] | ({"type": sorted(self.types(real[0]) | {"null"})} if len(alternatives) > 1 else {}))
        for part in parts:
            for name, value in part.items():
                if name == "properties":
                    flat[name] = {**flat.get(name, {}), **value}
                elif name == "required":
                    flat[name] = [*flat.get(name, []), *value]
                else:
                    flat.setdefault(name, value)
        return flat

    @staticmethod
    def types(schema):
        kinds = schema.get("type", [])
        return set([kinds] if isinstance(kinds, str) else kinds)


def compare(old, new):
    return [f"{place}: {text}" for place, text in Comparison(old, new).run()]


def judge(found, intended):
    """What to print, and whether it is an error: breaks that nobody intended, and intentions without a break or without a reason."""
    lines = [f"{text}: intended, since {intended[text]}" if text in intended else text for text in found]
    stale = [f"intended_breaks.json: no such break: {text}" for text in intended if text not in found]
    silent = [f"intended_breaks.json: no reason: {text}" for text, reason in intended.items() if not reason.strip()]
    return lines + stale + silent, bool(stale or silent or set(found) - set(intended))


def self_test():
    """Each change of a small document breaks what it says, and a document breaks nothing of itself."""
    document = {
        "paths": {"/things": {"post": {
            "operationId": "create_thing", "x-roles": ["cda", "admin"],
            "parameters": [{"in": "query", "name": "size", "schema": {"type": "integer", "maximum": 10}}],
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Input"}}}},
            "responses": {"201": {"headers": {"ETag": {}}, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
        }}},
        "components": {"schemas": {
            "Input": {"type": "object", "additionalProperties": False, "required": ["name"], "properties": {
                "name": {"type": "string", "maxLength": 9}, "kind": {"oneOf": [{"$ref": "#/components/schemas/Kind"}, {"type": "null"}]}}},
            "Thing": {"allOf": [{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
                                {"type": "object", "required": ["kind"], "properties": {"kind": {"$ref": "#/components/schemas/Kind"}}}]},
            "Kind": {"type": "string", "enum": ["a", "b"]},
        }},
    }

    def changed(change):
        new = copy.deepcopy(document)
        change(new["paths"]["/things"]["post"], new["components"]["schemas"], new)
        return compare(document, new)

    breaking = {
        "the operation is gone": lambda o, s, d: d["paths"].clear(),
        "the operationId is another": lambda o, s, d: o.update(operationId="make_thing"),
        "the roles ['cda']": lambda o, s, d: o.update({"x-roles": ["admin"]}),
        "the parameter size is gone": lambda o, s, d: o["parameters"].clear(),
        "the parameter new is needed": lambda o, s, d: o["parameters"].append({"in": "query", "name": "new", "required": True, "schema": {}}),
        "maximum was 10 and is 9": lambda o, s, d: o["parameters"][0]["schema"].update(maximum=9),
        "application/json is gone": lambda o, s, d: o["requestBody"]["content"].update({"text/csv": o["requestBody"]["content"].pop("application/json")}),
        "does not answer 201": lambda o, s, d: o["responses"].update({"200": o["responses"].pop("201")}),
        "no header ETag": lambda o, s, d: o["responses"]["201"]["headers"].clear(),
        "the field kind is needed": lambda o, s, d: s["Input"]["required"].append("kind"),
        "Input in requests: the field kind is gone": lambda o, s, d: s["Input"]["properties"].pop("kind"),
        "Input in requests.name: its type": lambda o, s, d: s["Input"]["properties"]["name"].update(type="integer"),
        "maxLength was 9 and is 5": lambda o, s, d: s["Input"]["properties"]["name"].update(maxLength=5),
        "pattern was None": lambda o, s, d: s["Input"]["properties"]["name"].update(pattern="^x"),
        "the values ['b']": lambda o, s, d: s["Kind"].update(enum=["a", "c"]),
        "Thing in answers: the field id is gone": lambda o, s, d: s["Thing"]["allOf"][0]["properties"].pop("id"),
        "the field id may be missing": lambda o, s, d: s["Thing"]["allOf"][0]["required"].clear(),
        "Thing in answers.id: its type": lambda o, s, d: s["Thing"]["allOf"][0]["properties"]["id"].update(type=["string", "null"]),
        "kind: its type was ['null', 'string']": lambda o, s, d: s["Input"]["properties"].update(kind={"$ref": "#/components/schemas/Kind"}),
    }
    harmless = [
        lambda o, s, d: None,
        lambda o, s, d: d["paths"].update({"/more": {}}),
        lambda o, s, d: o["parameters"].append({"in": "query", "name": "new", "schema": {}}),
        lambda o, s, d: o["parameters"][0]["schema"].update(maximum=11),
        lambda o, s, d: s["Input"]["properties"].update(note={"type": "string"}),
        lambda o, s, d: s["Thing"]["allOf"][0]["properties"].update(note={"type": "string"}),
        lambda o, s, d: s["Kind"]["enum"].append("c"),
        lambda o, s, d: s["Input"]["properties"]["name"].update(type=["string", "null"]),
    ]
    for expected, change in breaking.items():
        found = changed(change)
        assert any(expected in text for text in found), f"{expected}: {found}"
    for number, change in enumerate(harmless):
        assert changed(change) == [], f"harmless change {number}: {changed(change)}"
    assert judge([], {}) == ([], False)
    assert judge(["a"], {"a": "of b"}) == (["a: intended, since of b"], False)
    for found, intended in ((["a"], {}), (["a", "c"], {"a": "of b"}), ([], {"a": "of b"}), (["a"], {"a": " "})):
        assert judge(found, intended)[1], f"{found} with {intended} is an error"
    print(f"{len(breaking)} breaking and {len(harmless)} harmless changes are told apart")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    old, new = (json.load(open(path, encoding="utf-8")) for path in arguments)
    intended = json.loads(pathlib.Path(arguments[0]).with_name("intended_breaks.json").read_text(encoding="utf-8"))
    lines, is_error = judge(compare(old, new), intended)
    print("\n".join(lines) or "nothing that a client relies on has changed")
    return 1 if is_error else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
