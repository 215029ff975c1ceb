#!/usr/bin/env python3
"""What a client made from the OpenAPI document looks like in Python: a table of enterprises goes in, and comes back typed.

    openapi-python-client generate --path openapi/openapi.json --meta none --config tools/python_client.yaml --output-path khoosheh_client
    TOKEN=… examples/generated_client.py http://127.0.0.1:8080

It may be run again: the second time every row finds its enterprise as it says.
"""

import io
import os
import sys
import time

from khoosheh_client import AuthenticatedClient
from khoosheh_client.api.clusters import list_clusters
from khoosheh_client.api.enterprises import get_enterprise_by_reference
from khoosheh_client.api.imports import create_import, get_import, list_import_rows
from khoosheh_client.models import CreateImportCalendar, CreateImportMode, CreateImportResource, ListImportRowsOutcomeItem, Problem
from khoosheh_client.types import File

client = AuthenticatedClient(base_url=sys.argv[1], token=os.environ["TOKEN"])
cluster = list_clusters.sync(client=client, q="سنگ", count=True).items[0]
table = f"""key;نام فارسی;نام استان;کدهای ISIC;شمار شاغلان;کد خوشه;عضویت از
P-1;سنگ‌بری پایتون;لرستان;۲۳۹۶;۲۴;{cluster.code};۱۳۹۳/۱/۱
P-2;سنگ‌بری دوم;لرستان;۲۳۹۶;بسیار;{cluster.code};
"""

sent = create_import.sync(
    client=client,
    body=File(payload=io.BytesIO(table.encode())),
    resource=CreateImportResource.ENTERPRISES,
    mode=CreateImportMode.APPLY,
    system="generated-client",
    calendar=CreateImportCalendar.PERSIAN,
)
if isinstance(sent, Problem):
    sys.exit(f"refused: {sent.code} {sent.detail}")
while (work := get_import.sync(sent.id, client=client)).finished_at is None:
    time.sleep(0.2)
print(f"{work.state.value}: {work.created} created, {work.unchanged} unchanged, {work.failed} failed")

for row in list_import_rows.sync(sent.id, client=client, outcome=[ListImportRowsOutcomeItem.FAILED]).items:
    print(f"line {row.line}: {row.errors[0].column} {row.errors[0].code}")
if work.created + work.unchanged == 0:
    sys.exit(1)
enterprise = get_enterprise_by_reference.sync("generated-client", "P-1", client=client)
print(f"{enterprise.name_fa} {enterprise.size.value} {enterprise.member_from.isoformat()}")
