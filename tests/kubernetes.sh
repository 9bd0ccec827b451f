#!/bin/sh
# SPDX-License-Identifier: ISC
# contrib/fleet/kubernetes.yaml against the schemas of the Kubernetes API, as the npm packages
# kubernetes-models and js-yaml have them. `make check-long` runs this; it installs both from the
# npm registry into a folder that is removed at the end, and is skipped where that cannot be done.
set -u

top=${top_srcdir:-$(dirname "$0")/..}
file=$(cd "$top" && pwd)/contrib/fleet/kubernetes.yaml

skip() {
    echo "1..0 # SKIP $*"
    exit 0
}
for program in node npm; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
work=$(mktemp -d "${TMPDIR:-/tmp}/fetchpop-kubernetes.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
cd "$work" || exit 1
timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts kubernetes-models@4 js-yaml@4 \
    >log 2>&1 </dev/null || skip "npm cannot install kubernetes-models and js-yaml here"

cat >check.js <<'END'
const fs = require("fs");
const yaml = require("js-yaml");
const wanted = ["v1 PersistentVolumeClaim", "batch/v1 CronJob"];
let failed = 0, count = 0;
function point(good, name, why) {
  console.log(`${good ? "ok" : "not ok"} ${++count} - ${name}`);
  if (!good) { failed++; console.log("# " + String(why).replace(/\n/g, "\n# ")); }
}
function mistake(object) {
  try {
    const Model = require(`kubernetes-models/${object.apiVersion}`)[object.kind];
    new Model(object).validate();
  } catch (error) { return error.message; }
}
const objects = yaml.loadAll(fs.readFileSync(process.argv[2], "utf8"));
const kinds = objects.map((object) => `${object.apiVersion} ${object.kind}`);
point(String(kinds) === String(wanted), "it has a volume and a CronJob", kinds);
for (const object of objects) {
  const why = mistake(object);
  point(why === undefined, `${object.kind} is as the API's schema wants it`, why);
}
const job = objects[kinds.indexOf(wanted[1])].spec.jobTemplate.spec;
const shards = job.template.spec.containers[0].args[0].match(/--shard auto\/(\d+)/);
point(shards && +shards[1] === job.completions && job.completions === job.parallelism,
  "as many shards as completions and as run at a time", shards);
job.completions = "eight";
point(mistake(objects[kinds.indexOf(wanted[1])]) !== undefined, "a mistake would be seen", "it was not");
console.log(`1..${count}\n# ${count - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
END
node check.js "$file"
