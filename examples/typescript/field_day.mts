/**
 * A CDA's day in the field, as a mobile app talks to the service: log in, find my project, open a milestone, change it,
 * lose a race against my other phone, log out.
 *
 * `schema.d.ts` is made of the service's OpenAPI document, so that the compiler knows every address, parameter and answer:
 *
 *     npx openapi-typescript https://…/openapi.json --output schema.d.ts
 *
 * tools/clients.sh does that, compiles this file strictly and runs it as PASSWORD=… node field_day.mjs URL cda.
 */
import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];
type Token = components["schemas"]["TokenResponse"];
/** Answers come as JSON, refusals as problems (RFC 9457). CSV and `fields=` are left out, so that `data` has one type. */
type Json = "application/json" | "application/problem+json";

/** A client without a token can only log in and out. */
function client(baseUrl: string, token?: Token) {
  return createClient<paths, Json>({
    baseUrl,
    // Lists are separated by commas (`state=in_progress,returned`), which the types do not tell.
    querySerializer: { array: { style: "form", explode: false } },
    // The words of problems are for people: ask for their language. The default is Persian.
    headers: { "Accept-Language": "en", ...(token && { Authorization: `Bearer ${token.access_token}` }) },
  });
}

/** The answer, or an error with what the service says about the refusal. */
function expect<T>({ data, error }: { data?: T; error?: Problem }): T {
  if (error) {
    const broken = error.errors?.map(({ pointer, code }) => `${pointer} ${code}`) ?? [];
    throw new Error([error.code, error.detail, ...broken, `request ${error.request_id}`].join("; "));
  }
  assert(data);
  return data;
}

/** Passwords and tokens travel as a form, as OAuth 2 (RFC 6749) has it. */
const form = { headers: { "Content-Type": "application/x-www-form-urlencoded" } };

async function logIn(baseUrl: string, username: string, password: string): Promise<Token> {
  return expect(await client(baseUrl).POST("/api/v1/auth/token", { ...form, body: { grant_type: "password", username, password } }));
}

async function fieldDay(baseUrl: string, username: string, password: string): Promise<void> {
  const token = await logIn(baseUrl, username, password);
  const phone = client(baseUrl, token);
  const me = expect(await phone.GET("/api/v1/auth/me"));
  console.log(`logged in as ${me.username} (${me.role}), who may ${me.permissions.join(", ")}`);

  // Mine are those to which I am assigned today.
  const projects = expect(await phone.GET("/api/v1/projects", { params: { query: { mine: true } } }));
  const project = projects.items[0];
  assert(project, "no project is assigned to this CDA");
  assert.equal(project.lead_cda?.id, me.cda_id);
  console.log(`${project.code} is ${project.state}, ${project.progress_bp / 100} % done, ${project.overdue_milestones} overdue`);

  // What waits for me, with Persian dates as the app shows them, the oldest debt first.
  const waiting = expect(
    await phone.GET("/api/v1/milestones", {
      params: { query: { project_id: project.id, state: ["in_progress", "returned"], sort: ["due_on"], calendar: "persian" } },
    }),
  );
  const next = waiting.items[0];
  assert(next, "nothing is in progress");
  assert.match(next.due_on, /^1[34]\d\d-/);
  console.log(`next is ${next.title_fa}, due ${next.due_on}, ${next.is_overdue ? "late" : "in time"}`);

  // Opening it gives the ETag of the version that I see, which every change needs.
  const address = { path: { id: next.id } };
  const opened = await phone.GET("/api/v1/milestones/{id}", { params: address });
  const before = expect(opened);
  const seen = opened.response.headers.get("ETag");
  assert(seen);

  // A patch names what changes and nothing else (RFC 7396); null would empty a field.
  const changed = await phone.PATCH("/api/v1/milestones/{id}", {
    params: { ...address, header: { "If-Match": seen } },
    body: { title_en: `${before.title_en} (visited)` },
  });
  const after = expect(changed);
  assert.equal(after.title_en, `${before.title_en} (visited)`);
  assert.equal(after.version, before.version + 1);
  console.log(`changed: version ${before.version} is version ${after.version} now`);

  // My other phone still shows the version before. It loses, and what the first one wrote is not overwritten unseen.
  const otherPhone = client(baseUrl, await logIn(baseUrl, username, password));
  const lost = await otherPhone.PATCH("/api/v1/milestones/{id}", {
    params: { ...address, header: { "If-Match": seen } },
    body: { title_en: before.title_en },
  });
  assert.equal(lost.response.status, 412);
  assert(lost.error);
  assert.equal(lost.error.code, "stale_version"); // a code never changes; the words may
  assert.notEqual(lost.response.headers.get("ETag"), seen);
  console.log(`lost the race: ${lost.error.title}. ${lost.error.detail}`);

  // The way out: read again, show the difference, and change the version that is there now.
  const reread = await otherPhone.GET("/api/v1/milestones/{id}", { params: { ...address, header: { "If-None-Match": seen } } });
  assert.equal(expect(reread).title_en, after.title_en); // 200; a 304 would have said that the old version is current
  const current = reread.response.headers.get("ETag");
  assert(current);
  const settled = await otherPhone.PATCH("/api/v1/milestones/{id}", {
    params: { ...address, header: { "If-Match": current } },
    body: { title_en: before.title_en },
  });
  assert.equal(expect(settled).title_en, before.title_en);

  // Logging out ends the session of this phone, and of this one only.
  assert(token.refresh_token);
  const out = await client(baseUrl).POST("/api/v1/auth/revoke", { ...form, body: { token: token.refresh_token } });
  assert.equal(out.response.status, 200);
  const refused = await phone.GET("/api/v1/auth/me");
  assert.equal(refused.response.status, 401);
  assert.equal(refused.error?.code, "unauthenticated");
  expect(await otherPhone.GET("/api/v1/auth/me"));
  console.log("logged out");
}

const [baseUrl, username] = process.argv.slice(2);
const password = process.env["PASSWORD"];
assert(baseUrl && username && password, "usage: PASSWORD=… node field_day.mjs URL USER");
await fieldDay(baseUrl, username, password);
