#!/usr/bin/env bash
# Makes a TypeScript client of openapi/openapi.json, compiles it strictly and runs the flow of examples/typescript with it;
# then runs examples/provincial_morning.py twice, of which the second time must change nothing; then makes a Python client of the
# document and runs examples/generated_client.py with it, twice as well; then makes a Kotlin client, which has to know every operation, compiles
# its models and runs examples/kotlin with them (its transport takes libraries that only Maven has). Needs tools/install.sh, and Java.
set -euo pipefail
[ "${DEMO_URL:-}" ] || exec "$(dirname "$0")/with_demo.sh" "$0"
cd "$(dirname "$0")/.."

bin=tools/node_modules/.bin
generated=tools/node_modules/.cache/khoosheh
"$bin/openapi-typescript" openapi/openapi.json --output "$generated/schema.d.ts"
"$bin/tsc" --project examples/typescript
PASSWORD=$DEMO_PASSWORD node "$generated/field_day.mjs" "$DEMO_URL" cda

token_for() {
  curl --silent --show-error --fail "$DEMO_URL/api/v1/auth/token" "$@" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'
}
token=$(token_for --user "integrator:$DEMO_PASSWORD" --data grant_type=client_credentials)
versions() {
  for resource in organisations clusters projects milestones; do
    curl --silent --show-error --fail --header "Authorization: Bearer $token" \
      "$DEMO_URL/api/v1/$resource?fields=id,version&page_size=200&format=csv"
  done
}
morning() { CLIENT_SECRET=$DEMO_PASSWORD examples/provincial_morning.py "$DEMO_URL" integrator; }

table=$(morning)
kept=$(versions)
[ "$(morning)" = "$table" ] || { echo "the second morning prints another table"; exit 1; }
[ "$(versions)" = "$kept" ] || { echo "the second morning has changed something"; exit 1; }
echo "$table"
# The heading, and more than one page of two.
[ "$(wc -l <<<"$table")" -ge 4 ] || { echo "what the script has registered is not in its table"; exit 1; }

.venv/bin/openapi-python-client generate --path openapi/openapi.json --meta none --overwrite --config tools/python_client.yaml \
  --output-path "$generated/python/khoosheh_client" >"$generated/python_client.log" 2>&1 || { cat "$generated/python_client.log"; exit 1; }
! grep "will not be generated" "$generated/python_client.log" || exit 1
with_generated() { TOKEN=$token PYTHONPATH=$generated/python .venv/bin/python examples/generated_client.py "$DEMO_URL"; }
first=$(with_generated)
[[ $first == "finished: 1 created, 0 unchanged, 1 failed"* ]] || { echo "the first time: $first"; exit 1; }
second=$(with_generated)
[[ $second == "finished: 0 created, 1 unchanged, 1 failed"* ]] || { echo "the second time: $second"; exit 1; }
echo "$second"

rm -rf "$generated/kotlin"
.venv/bin/openapi-generator-cli generate --input-spec openapi/openapi.json --generator-name kotlin --output "$generated/kotlin" \
  --additional-properties packageName=ir.khoosheh.client,serializationLibrary=kotlinx_serialization \
  --type-mappings AnyType=JsonElement,object=JsonElement --import-mappings JsonElement=kotlinx.serialization.json.JsonElement \
  >"$generated/kotlin.log" 2>&1 ||
  { cat "$generated/kotlin.log"; exit 1; }
operations=$(python3 -c '
import json
paths = json.load(open("openapi/openapi.json"))["paths"].values()
print(sum(method in item for item in paths for method in ("get", "put", "post", "patch", "delete")))')
functions=$(grep --recursive --no-filename --only-matching --extended-regexp "fun [A-Za-z]+WithHttpInfo" "$generated/kotlin/src" | sort --unique | wc -l)
[ "$functions" = "$operations" ] || { echo "the Kotlin client has $functions of $operations operations"; exit 1; }
echo "the Kotlin client has all $operations operations"

# The compiler finds its plugin by the services that a jar names; this one is in the compiler's own.
jars=$(echo .venv/lib/python3*/site-packages/run_kotlin_kernel/jars)
registrar=org.jetbrains.kotlin.compiler.plugin.CompilerPluginRegistrar
python3 - "$generated/plugin.jar" "META-INF/services/$registrar" <<'END'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as jar:
    jar.writestr(sys.argv[2], "org.jetbrains.kotlinx.serialization.compiler.extensions.SerializationComponentRegistrar\n")
END
libraries=$(find "$jars" -name 'kotlin-stdlib-*.jar' -o -name 'kotlinx-serialization-*-jvm-*.jar' | tr '\n' ':')
sources=$generated/kotlin/src/main/kotlin/ir/khoosheh/client
java -cp "$(find "$jars" -name 'kotlin-jupyter-kernel-*-all.jar')" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -nowarn \
  -Xdisable-default-scripting-plugin -Xplugin="$generated/plugin.jar" -cp "$libraries" -d "$generated/first_sync.jar" \
  "$sources/models" "$sources"/infrastructure/*Adapter.kt "$sources/infrastructure/Serializer.kt" examples/kotlin
lorestan=$(token_for --data grant_type=password --data username=lorestan --data-urlencode "password=$DEMO_PASSWORD")
java -cp "$generated/first_sync.jar:$libraries" FirstSyncKt "$DEMO_URL" "$lorestan"
