// Opens pages of plans and topics in Chromium without a network: node check.mjs FOLDER CHROMIUM PROGRAM
// The screenshots are written to FOLDER, which has node_modules.
import { execFileSync, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";

const [folder, executablePath, program] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(folder, "package.json"));
const puppeteer = (await import(pathToFileURL(require.resolve("puppeteer-core")))).default;
const axe = readFileSync(require.resolve("axe-core"), "utf8");

const topics = ["orders:3:1000", "quiet:1:10", "large:1000:1000000"];
const groups = [
  "billing:orders:0=900,1=800,2=700",
  "audit:orders:0=400,1=400,2=400",
  "<script>alert(1)</script>:orders:0=1",
  "half:large:7=5",
];
for (let group = 0; group < 200; group++) groups.push(`group-${group}:large:0=${group},999=${group}`);
const cases = {
  plan: "plan --topic orders --older-than 43206s",
  "plan-unknown": "plan --topic large --up-to-end",
  "plan-without-groups": "plan --topic quiet --keep-last 3",
  "plan-empty": "plan --topic orders --older-than 30d",
  topic: "topic orders",
};

const words = ["serve", ...topics.flatMap((topic) => ["--topic", topic]), ...groups.flatMap((group) => ["--group", group])];
const gateway = spawn(program, words, { stdio: ["ignore", "pipe", "ignore"] });
const ready = JSON.parse(String(await new Promise((resolve) => gateway.stdout.once("data", resolve))));
const environment = {
  ...process.env,
  HUAWEICLOUD_SDK_AK: ready.access_key,
  HUAWEICLOUD_SDK_SK: ready.secret_key,
};
const printed = (line, format) => {
  const where = ["--endpoint", ready.endpoint, "--project-id", ready.project_id, "--instance-id", ready.instance_id];
  return execFileSync(program, [...line.split(" "), ...where, "--output", format], { env: environment, encoding: "utf8" });
};
const number = (value) => value.toLocaleString("en-US");

const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const [name, line] of Object.entries(cases)) {
    const json = JSON.parse(printed(line, "json"));
    const view = json.plans?.[0] ?? json;
    const file = join(folder, `${name}.html`);
    writeFileSync(file, printed(line, "html"));

    const page = await browser.newPage();
    const problems = [];
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("dialog", (dialog) => problems.push(dialog.message()));
    page.on("request", (request) => request.url().startsWith("file:") || problems.push(request.url()));
    await page.setOfflineMode(true);
    const media = (scheme) => page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const [look, scheme, width] of [["light", "light", 1100], ["dark", "dark", 1100], ["phone", "light", 390]]) {
      await media(scheme);
      await page.setViewport({ width, height: 900 });
      await page.goto(pathToFileURL(file).href);
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background === "rgb(255, 255, 255)", scheme === "light", `${name} ${look}: ${background}`);
      await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
      const scrolls = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
      assert(!scrolls, `${name} ${look}: the page is wider than the screen`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`);
      assert.deepEqual(found, [], `${name} ${look}`);
    }
    await media("light");
    await page.pdf({ path: join(folder, `${name}.pdf`), format: "a4" });

    const cells = (label) =>
      page.evaluate((label) => {
        const rows = document.querySelectorAll(`[aria-label="${label}"] tbody tr`);
        const text = (cell) => (cell.querySelector("svg") ? "" : cell.textContent);
        return [...rows].map((row) => [...row.cells].map(text));
      }, label);
    const isPlan = json.plans !== undefined;
    const partitions = (await cells("Partitions")).map((row) => (isPlan ? [row[0], row[2], row[4], row[5], row[6]] : [row[0], row[2], row[3], row[4]]));
    const expected = view.partitions.map(({ partition, records, start, before, end }) =>
      isPlan ? [partition, records, start, before, end].map(number) : [partition, end - start, start, end].map(number),
    );
    const byPartition = (one, other) => Number(one[0].replaceAll(",", "")) - Number(other[0].replaceAll(",", ""));
    assert.deepEqual(partitions.map((row) => [number(Number(row[0])), ...row.slice(1)]).sort(byPartition), expected.sort(byPartition), name);
    const lost = (group) => (isPlan ? [number(group.lost)] : []);
    const shown = (await cells("Consumer groups")).map((row) => [row[0], row[2], ...(isPlan ? [row[3]] : [])]);
    assert.deepEqual(shown, view.losses.groups.map((group) => [group.group, number(group.unread), ...lost(group)]), name);
    assert.deepEqual(problems, [], name);
    await page.close();
    console.log(`${name}: ${view.partitions.length} partitions, ${view.losses.groups.length} groups`);
  }
} finally {
  await browser.close();
  gateway.kill();
}
