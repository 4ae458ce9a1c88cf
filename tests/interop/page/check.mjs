// Opens pages of plans and topics in Chromium without a network: node check.mjs FOLDER CHROMIUM PROGRAM
// The screenshots are written to FOLDER, which has node_modules. With UPDATE_EXPECT=1, one is written to docs/images, too.
import { execFileSync, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";

const [folder, executablePath, program] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(folder, "package.json"));
const puppeteer = (await import(pathToFileURL(require.resolve("puppeteer-core")))).default;
const axe = readFileSync(require.resolve("axe-core"), "utf8");

const topics = ["orders:3:1000", "hostile:2:1000", "quiet:1:10", "large:1000:1000000"];
const hostile = ["<script>alert(1)</script>", "\u202egnp.exe", "\u05d0\u05d1\u05d2 12", "x".repeat(249), "'\"--><style>*{display:none}"];
const groups = [
  "billing:orders:0=900,1=800,2=700",
  "audit:orders:0=400,1=400,2=400",
  ...hostile.map((name, index) => `${name}:hostile:0=${index * 200}`),
  "half:large:7=5",
];
for (let group = 0; group < 200; group++) groups.push(`group-${group}:large:0=${group},999=${group}`);
const cases = {
  plan: "plan --topic orders --older-than 43206s --out PLAN",
  "plan-hostile": "plan --topic hostile --before-offset 700",
  "plan-large": "plan --topic large --before-offset 999999",
  "plan-without-groups": "plan --topic quiet --keep-last 3",
  "plan-empty": "plan --topic orders --older-than 30d",
  topic: "topic orders",
};
const IMAGE = "docs/images/plan.png";
const PAPER = { width: 703, height: 1032 };

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
  const words = line.replace("PLAN", `plan-${format}.json --overwrite`).split(" ");
  return execFileSync(program, [...words, ...where, "--output", format], { env: environment, encoding: "utf8", cwd: folder });
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
    const session = await page.createCDPSession();
    const media = (media, scheme) => session.send("Emulation.setEmulatedMedia", { media, features: [{ name: "prefers-color-scheme", value: scheme }] });
    const looks = [["light", "light", 1100], ["dark", "dark", 1100], ["phone", "light", 390], ["print", "dark", PAPER.width]];
    for (const [look, scheme, width] of looks) {
      const isPrint = look === "print";
      await media(isPrint ? "print" : "screen", scheme);
      await page.setViewport({ width, height: 900 });
      await page.goto(pathToFileURL(file).href);
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background === "rgb(255, 255, 255)", scheme === "light" || isPrint, `${name} ${look}: ${background}`);
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.screenshot({ path: join(folder, `${name}-${look}.png`), clip: { x: 0, y: 0, width, height: Math.min(height, 3000) }, captureBeyondViewport: true });
      const wide = await page.evaluate((isPrint) => {
        const boxes = [document.documentElement, ...(isPrint ? document.querySelectorAll(".scroll") : [])];
        return boxes.filter((box) => box.scrollWidth > box.clientWidth).map((box) => `${box.ariaLabel}: ${box.scrollWidth} of ${box.clientWidth}`);
      }, isPrint);
      assert.deepEqual(wide, [], `${name} ${look}: wider than the screen or the paper`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`);
      assert.deepEqual(found, [], `${name} ${look}`);
      const regions = await page.$$eval(".scroll", (regions) => regions.map((region) => region.ariaLabel));
      for (const region of regions) {
        await page.keyboard.press("Tab");
        assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), region, `${name} ${look}: the keyboard reaches each table`);
      }
    }
    await page.pdf({ path: join(folder, `${name}.pdf`), format: "a4" });
    if (name === "plan" && process.env.UPDATE_EXPECT === "1") {
      await media("screen", "light");
      await page.setViewport({ width: 1000, height: 900 });
      await page.goto(pathToFileURL(file).href);
      const height = await page.$eval('[aria-label="Partitions"]', (table) => table.getBoundingClientRect().bottom + 16);
      await page.screenshot({ path: IMAGE, clip: { x: 0, y: 0, width: 1000, height } });
      assert(statSync(IMAGE).size < 150_000, `${IMAGE} is too large`);
    }

    const rows = async (...labels) =>
      page.evaluate((labels) => {
        const cell = (cell) => [cell.querySelector("svg") ? "" : cell.firstChild.textContent, cell.querySelector("small")?.textContent ?? null];
        const rows = labels.flatMap((label) => [...document.querySelectorAll(`[aria-label="${label}"] tbody tr`)]);
        return rows.map((row) => [...row.cells].map(cell));
      }, labels);
    const isPlan = json.plans !== undefined;
    const partitions = await rows("Partitions", "Other partitions");
    const shown = partitions.map((row) => row.slice(2, isPlan ? 7 : 5)).map((row) => row.filter(([text]) => !/%$|^-$/.test(text)));
    const time = (time) => time?.slice(0, 19).replace("T", " ") ?? null;
    const expected = ({ records, start, before, end, oldest_time, first_kept_time, newest_time }) => {
      const edges = [[number(start), time(oldest_time)], [number(before), time(first_kept_time)], [number(end), time(newest_time)]];
      return isPlan ? [[number(records), null], ...edges] : [[number(end - start), null], edges[0], edges[2]];
    };
    const of = new Map(view.partitions.map((partition) => [String(partition.partition), expected(partition)]));
    assert.deepEqual(shown, partitions.map((row) => of.get(row[0][0])), name);
    assert.equal(new Set(partitions.map((row) => row[0][0])).size, of.size, name);
    const lost = (group) => (isPlan ? [number(group.lost)] : []);
    const text = (name) => name.replaceAll("\u202e", "\\u{202e}");
    const inGroups = (await rows("Consumer groups", "Other consumer groups")).map((row) => [row[0], row[2], ...(isPlan ? [row[3]] : [])].map(([text]) => text));
    assert.deepEqual(inGroups, view.losses.groups.map((group) => [text(group.group), number(group.unread), ...lost(group)]), name);
    const total = number(view.partitions.reduce((sum, partition) => sum + (isPlan ? partition.records : partition.end - partition.start), 0));
    assert((await page.$eval(".total", (total) => total.textContent)).startsWith(isPlan && total !== "0" ? `Up to ${total} of ` : total), name);
    assert(statSync(file).size < 1_000_000, name);
    assert.deepEqual(problems, [], name);
    await page.close();
    console.log(`${name}: ${view.partitions.length} partitions, ${view.losses.groups.length} groups`);
  }
} finally {
  await browser.close();
  gateway.kill();
}
