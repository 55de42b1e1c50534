// Lists services, sends a request with answers, and reads it back, with fetch and the types of openapi-typescript.

import assert from "node:assert/strict";
import type { components, paths } from "./api.js";

type Submission = components["schemas"]["Submission"];
type Problems = components["schemas"]["Error"][];
type Reads = { [Path in keyof paths]: paths[Path] extends { get: object } ? Path : never }[keyof paths];
type Body<Call> = Call extends { responses: { 200: { content: { "application/json": infer Json } } } } ? Json : never;
type Query<Call> = Call extends { parameters: { query?: infer Names } } ? Names : never;

const [origin = "", key = ""] = process.argv.slice(2);

async function read<Path extends Reads>(
  path: Path,
  query: Query<paths[Path]["get"]>,
  names: Record<string, string> = {},
): Promise<Body<paths[Path]["get"]>> {
  const filled = path.replace(/{(\w+)}/g, (_, name: string) => encodeURIComponent(names[name] ?? ""));
  const pairs = Object.entries(query ?? {}).map(([name, value]) => [name, String(value)]);
  const answer = await fetch(`${origin}${filled}?${new URLSearchParams(pairs)}`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()) as Body<paths[Path]["get"]>;
}

async function send(submission: Submission): Promise<Response> {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(submission)) {
    for (const one of Array.isArray(value) ? value : [value]) form.append(name, String(one));
  }
  return fetch(`${origin}/open311/v2/requests.json`, { method: "POST", headers: { "X-Api-Key": key }, body: form });
}

const services = await read("/open311/v2/services.json", {});
assert.ok(services.some((service) => service.service_code === "graffiti" && service.metadata));
const definition = await read("/open311/v2/services/{service_code}.json", {}, { service_code: "graffiti" });
assert.equal(definition.attributes[0]?.code, "SURFACE");

const submission: Submission = {
  service_code: "graffiti",
  lat: 60.1718,
  long: 24.9414,
  description: "Müll & Straße",
  "attribute[SURFACE]": "brick",
  "attribute[TAGS]": ["a", "b"],
};
const created = await send(submission);
assert.equal(created.status, 200, await created.clone().text());
const [receipt] = (await created.json()) as Body<paths["/open311/v2/requests.json"]["post"]>;
const id = receipt?.service_request_id ?? "";
assert.ok(id);

const listed = await read("/open311/v2/requests.json", { service_request_id: id, extensions: "true" });
const found = listed[0];
assert.equal(listed.length, 1);
assert.equal(found?.description, submission.description);
assert.deepEqual(found?.attributes?.map((answer) => answer.value), ["brick", "a", "b"]);
assert.ok(!Number.isNaN(Date.parse(found?.requested_datetime ?? "")));
const [alone] = await read("/open311/v2/requests/{service_request_id}.json", {}, { service_request_id: id });
assert.equal(alone?.status, "open");

const refused = await send({ service_code: "potholes" });
const [problem] = (await refused.json()) as Problems;
assert.equal(refused.status, 400);
assert.equal(problem?.code, 400);
assert.match(problem?.description ?? "", /location/);

console.log("1 request was sent and read back.");
