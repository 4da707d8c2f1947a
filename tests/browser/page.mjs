// The station page in Chromium, against the real daemon, on a phone and on a desktop: what a technician does there.
// Run by scripts/check-browser: node tests/browser/page.mjs LOAXA CHROMIUM [SCREENSHOT-FOLDER]
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";

// playwright-core stands where scripts/check-browser put it.
const { chromium } = createRequire(join(process.env.NODE_HOME ?? process.cwd(), "x.js"))("playwright-core");
const [program, browserPath, shots] = process.argv.slice(2);
const failures = [];
const check = (good, what) => { if (!good) { failures.push(what); console.error(`FAILED: ${what}`); } };

const wav = (seconds) => {
  const samples = seconds * 8000;
  const bytes = Buffer.alloc(44 + samples * 2);
  bytes.write("RIFF", 0); bytes.writeUInt32LE(36 + samples * 2, 4); bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16); bytes.writeUInt16LE(1, 20); bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(8000, 24); bytes.writeUInt32LE(16000, 28); bytes.writeUInt16LE(2, 32); bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36); bytes.writeUInt32LE(samples * 2, 40);
  for (let n = 0; n < samples; n++) bytes.writeInt16LE(n % 20 < 10 ? 3000 : -3000, 44 + n * 2);
  return bytes;
};

const port = await new Promise((done) => {
  const server = createServer().listen(0, "127.0.0.1", () => { const { port } = server.address(); server.close(() => done(port)); });
});
const folder = mkdtempSync(join(tmpdir(), "loaxa-browser-"));
const config = join(folder, "station.toml");
const environment = { ...process.env, LOAXA_TRIAL: "1", LOAXA_CONFIG: config };
const loaxa = (...words) => execFileSync(program, words, { encoding: "utf8", env: environment, cwd: folder });
const minute = (ahead) => {
  const at = new Date(Date.now() + (7 * 60 + ahead) * 60_000);
  return at.toISOString().slice(11, 16);
};
mkdirSync(join(folder, "clips"));
mkdirSync(join(folder, "province"));
writeFileSync(join(folder, "clips", "tin.wav"), wav(40));
writeFileSync(join(folder, "province", "cd1.wav"), wav(20));
writeFileSync(join(folder, "province", "playlist.toml"), `source = "tinh"
[[campaigns]]
id = "cds"
title = "Ngày Chuyển đổi số quốc gia"
doc_number = "647/TTCS-TQ"
doc_date = "2022-09-28"
min_per_day = 1
[[clips]]
id = "cd1"
file = "cd1.wav"
title = "Nội dung Quyết định số 1092/QĐ-BTTTT <img src=x>"
kind = "ban_tin"
campaign = "cds"
approved_by = "Nguyễn Văn A"
approved_at = "2022-09-30"
[[offers]]
id = "cds"
items = ["cd1"]
priority = "priority"
`);
loaxa("keygen", "--out", "tinh");
loaxa("publish", "province", "--key", "tinh.key", "--out", "out");
const key = execFileSync("grep", ["-o", "RW.*", join(folder, "tinh.pub")], { encoding: "utf8" }).trim().split("\n").pop();
writeFileSync(config, `[station]
id = "xa-thu"
name = "Đài Truyền thanh xã Thử"
[state]
dir = "state"
[[source]]
id = "tinh"
origin = "tinh"
url = "http://127.0.0.1:9/playlist.json"
public_keys = ["${key}"]
[local]
[output]
device = "null"
[quiet_hours]
from = "${minute(720)}"
to = "${minute(725)}"
shorter_by = "thử"
[time]
trust = "always"
[page]
listen = "127.0.0.1:${port}"
`);
writeFileSync(join(folder, "local.toml"), `[[clips]]
id = "tin"
file = "tin.wav"
title = "Bản tin xã"
kind = "ban_tin"
approved_by = "Trần Thị B"
approved_at = "2026-09-30"
[[slots]]
id = "buoi"
name = "Buổi phát"
at = ["${minute(120)}", "${minute(360)}"]
items = ["tin", { offers = "priority" }]
[[slots]]
id = "tiep-song"
name = "Tiếp sóng Đài tỉnh"
kind = "relay"
at = "${minute(240)}"
length = "15m"
`);
loaxa("import", "out");
const daemon = spawn(program, ["run"], { env: environment, cwd: folder, stdio: "ignore" });
const base = `http://127.0.0.1:${port}`;
const status = () => { try { return JSON.parse(loaxa("status", "--json")); } catch (e) { return JSON.parse(e.stdout); } };

// Contrast of every text that can be seen against what is behind it.
const contrast = () => {
  const light = ([r, g, b]) => {
    const part = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const colour = (text) => text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest("svg, option")) continue;
    let behind = element;
    while (behind && (colour(getComputedStyle(behind).backgroundColor)[3] ?? 1) === 0) behind = behind.parentElement;
    const [a, b] = [colour(getComputedStyle(element).color), colour(getComputedStyle(behind ?? document.body).backgroundColor)].map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${element.textContent.trim().slice(0, 40)}`);
  }
  return bad;
};
const unnamed = () => [...document.querySelectorAll("button, a, input:not([type=hidden]), select, audio, summary, progress, svg[role=img]")]
  .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length)).map((e) => e.outerHTML.slice(0, 80));

let browser;
try {
  for (let tries = 0; ; tries++) {
    if (await fetch(base).then((r) => r.ok, () => false)) break;
    if (tries > 200) throw new Error("the page does not open");
    await new Promise((done) => setTimeout(done, 50));
  }
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
  for (const [name, viewport, colorScheme] of [["phone", { width: 390, height: 844 }, "light"], ["desktop", { width: 1280, height: 800 }, "dark"]]) {
    const context = await browser.newContext({ viewport, colorScheme });
    const page = await context.newPage();
    page.on("console", (message) => check(message.type() !== "error", `${name}: console: ${message.text()}`));
    page.on("pageerror", (error) => check(false, `${name}: ${error}`));
    const shot = async (what) => { if (shots) await page.screenshot({ path: join(shots, `${name}-${what}.png`) }); };
    const press = async (key, times = 1) => { for (let n = 0; n < times; n++) await page.keyboard.press(key); };
    const focus = async (text) => {
      for (let n = 0; n < 80; n++) {
        await press("Tab");
        if (await page.evaluate((t) => document.activeElement?.textContent.trim() === t, text)) return;
      }
      check(false, `${name}: the keyboard does not reach "${text}"`);
    };

    await page.goto(`${base}/login`);
    await shot("login");
    // In by keyboard alone: the field has the focus.
    await page.keyboard.type(loaxa("page-code", "--by", "Nguyễn Văn A").match(/\d{8}/)[0]);
    await press("Enter");
    await page.waitForURL(`${base}/`);
    for (const path of ["/", "/week", "/received", "/play", "/log", "/reports"]) {
      await page.goto(base + path);
      await page.waitForTimeout(300);
      await shot(path.slice(1) || "front");
      check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}: ${path} scrolls sideways`);
      for (const bad of await page.evaluate(contrast)) check(false, `${name}: ${path}: contrast ${bad}`);
      for (const bad of await page.evaluate(unnamed)) check(false, `${name}: ${path}: no name: ${bad}`);
      check((await page.locator("img").count()) === 0, `${name}: ${path}: markup from a list`);
    }
    await page.goto(`${base}/received`);
    check((await page.locator("main").innerText()).includes("647/TTCS-TQ"), `${name}: the document is not shown`);
    const heard = await page.evaluate(() => fetch(document.querySelector("audio").src, { headers: { Range: "bytes=0-99" } }).then((r) => r.status));
    check(heard === 206, `${name}: listening answers ${heard}`);
    await page.goto(`${base}/?lang=en`);
    check((await page.locator("html").getAttribute("lang")) === "en", `${name}: no English`);
    await page.goto(`${base}/?lang=vi`);

    await page.goto(`${base}/reports`);
    await page.locator("form").filter({ has: page.locator("input[value=diary]") }).locator("button[value=html]").click();
    await page.waitForURL(/which=diary/);
    await page.waitForLoadState();
    check((await page.title()).includes("NHẬT KÝ"), `${name}: no diary`);

    // Play, see it live, stop by keyboard, go on.
    await page.goto(`${base}/play`);
    await page.locator("button[value=tin]").click();
    await page.waitForLoadState();
    check((await page.locator(".said").innerText()).includes("Đang phát ra loa"), `${name}: not played`);
    await page.goto(base);
    await page.waitForSelector("#now .on_air");
    const first = await page.locator("#now progress").getAttribute("value");
    await page.waitForTimeout(2500);
    check(Number(await page.locator("#now progress").getAttribute("value")) > Number(first), `${name}: the progress stands still`);
    await shot("on-air");
    await focus("Dừng ngay");
    await press("Enter");
    await shot("stop");
    await focus("Đến khi bật lại");
    await press("Enter");
    await page.waitForSelector(".said");
    check(status().state === "stopped", `${name}: not stopped`);
    check(await page.locator("button.go").isVisible(), `${name}: no way to go on`);
    await shot("stopped");
    loaxa("resume", "--by", "khác");
    await page.waitForFunction(() => document.body.dataset.state !== "stopped");
    check(!(await page.locator("button.go").isVisible()), `${name}: the resume from elsewhere is not seen`);
    // Readable and usable without JavaScript.
    const plain = await browser.newContext({ viewport, javaScriptEnabled: false, storageState: await context.storageState() });
    const still = await plain.newPage();
    await still.goto(base);
    check((await still.locator("#today").innerText()).includes("Buổi phát"), `${name}: nothing without JavaScript`);
    await still.locator("#stop summary").click();
    await still.locator("button[value=day]").click();
    check(status().state === "stopped", `${name}: not stopped without JavaScript`);
    await still.locator("button.go").click();
    check(status().state !== "stopped", `${name}: not resumed without JavaScript`);
    await plain.close();
    await page.goto(`${base}/log`);
    check((await page.locator("main").innerText()).includes("Phát bằng tay · Nguyễn Văn A"), `${name}: no name in the log`);
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("a[href^='/log.csv']").click()]);
    check(download.suggestedFilename() === "nhat-ky.csv", `${name}: no download`);
    await page.locator("form[action='/logout'] button").click();
    await page.waitForURL(`${base}/`);
    check((await page.locator("a.button[href='/login']").count()) === 1, `${name}: still logged in`);
    await context.close();
  }
} catch (error) {
  check(false, String(error));
} finally {
  await browser?.close();
  daemon.kill();
  rmSync(folder, { recursive: true, force: true });
}
console.log(failures.length ? `${failures.length} failed` : "the page does what it should");
process.exit(failures.length ? 1 : 0);
