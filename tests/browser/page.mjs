// The station page in Chromium, against the real daemon, on a phone and on a desktop: what a technician does there.
// Run by scripts/check-browser: node tests/browser/page.mjs LOAXA CHROMIUM [SCREENSHOT-FOLDER]
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
// The station stands where it is past nine in the morning now: the page shows one day, and what is due in two hours,
// four and six is to be of that day at whatever hour the check runs.
const ahead = ((9 - new Date().getUTCHours() + 36) % 24) - 12;
const timezone = `Etc/GMT${ahead > 0 ? "-" : "+"}${Math.abs(ahead)}`; // POSIX counts westward
const offset = `${ahead < 0 ? "-" : "+"}${String(Math.abs(ahead)).padStart(2, "0")}:00`;
const local = (minutes) => new Date(Date.now() + (ahead * 60 + minutes) * 60_000).toISOString();
const day = (days) => local(days * 1440).slice(0, 10);
const minute = (minutes) => local(minutes).slice(11, 16);
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
from = "${day(0)}"
to = "${day(6)}"
min_per_day = 1
[[campaigns]]
id = "nhieu"
title = "Đợt đòi quá nhiều lượt"
from = "${day(1)}"
to = "${day(3)}"
min_per_day = 50
[[clips]]
id = "cd1"
file = "cd1.wav"
title = "Nội dung Quyết định số 1092/QĐ-BTTTT <img src=x>"
kind = "ban_tin"
campaign = "cds"
approved_by = "Nguyễn Văn A"
approved_at = "2022-09-30"
[[clips]]
id = "cd2"
file = "cd2.wav"
title = "Bài của đợt đòi nhiều"
kind = "thong_bao"
campaign = "nhieu"
[[withdrawals]]
clip = "cd2"
by = "Nguyễn Văn B"
why = "sai tên thôn"
[[offers]]
id = "cds"
items = ["cd1"]
priority = "priority"
`);
writeFileSync(join(folder, "province", "cd2.wav"), wav(15));
writeFileSync(join(folder, "province", "bao.wav"), wav(12));
writeFileSync(join(folder, "province", "urgent.toml"), `source = "tinh"
[[clips]]
id = "bao"
file = "bao.wav"
title = "Tin bão số 4"
kind = "thong_bao"
priority = "emergency"
approved_by = "Nguyễn Văn A"
approved_at = "2022-09-30"
[[emergencies]]
id = "bao-so-4"
clip = "bao"
from = "${day(2)}T17:06:00${offset}"
until = "${day(2)}T20:00:00${offset}"
repeat = 3
every = "10m"
`);
loaxa("keygen", "--out", "tinh");
loaxa("publish", "province", "--key", "tinh.key", "--out", "out");
loaxa("publish", "province", "--urgent", "--key", "tinh.key", "--out", "out");
const key = execFileSync("grep", ["-o", "RW.*", join(folder, "tinh.pub")], { encoding: "utf8" }).trim().split("\n").pop();
writeFileSync(config, `[station]
id = "xa-thu"
name = "Đài Truyền thanh xã Thử"
timezone = "${timezone}"
[state]
dir = "state"
[[source]]
id = "tinh"
origin = "tinh"
url = "http://127.0.0.1:9/playlist.json"
urgent_poll = "30s"
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
length = "10m"
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
    let forgiven = false;
    page.on("console", (message) => check(forgiven || message.type() !== "error", `${name}: console: ${message.text()}`));
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

    // A wrong code first: how many tries are left; that it is refused stands in the console, and may.
    const code = loaxa("page-code", "--by", "Nguyễn Văn A").match(/\d{8}/)[0];
    // The field has the focus by itself; on a busy machine a moment after the page is there.
    const ready = () => page.waitForFunction(() => document.activeElement?.matches("input:not([type=hidden])"));
    await page.goto(`${base}/login`);
    await ready();
    forgiven = true;
    await page.keyboard.type(code === "12345678" ? "87654321" : "12345678");
    await press("Enter");
    await page.waitForSelector(".said");
    check((await page.locator(".said").innerText()).includes("còn 4 lần"), `${name}: a wrong code`);
    await page.goto(`${base}/login`);
    forgiven = false;
    await shot("login");
    // In by keyboard alone.
    await ready();
    await page.keyboard.type(code);
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
      if (shots) await page.screenshot({ path: join(shots, `${name}-${path.slice(1) || "front"}-whole.png`), fullPage: true });
      // Everything that can be pressed is reached by Tab, in the order of the page, and shows it.
      if (path !== "/received" && path !== "/play") {
        const wanted = await page.evaluate(() => {
          const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary")].filter((e) => e.checkVisibility());
          all.forEach((e, at) => { e.dataset.at = at; });
          document.activeElement.blur();
          return all.length;
        });
        const reached = new Set();
        // Dates have several fields of their own.
        for (let n = 0; n < wanted * 2 + 20; n++) {
          await press("Tab");
          const at = await page.evaluate(() => {
            const e = document.activeElement;
            return e.dataset.at !== undefined && getComputedStyle(e).outlineStyle !== "none" ? e.dataset.at : null;
          });
          if (at !== null) reached.add(at);
        }
        check(reached.size === wanted, `${name}: ${path}: ${wanted - reached.size} of ${wanted} are not reached by keyboard`);
      }
    }
    const main = async () => page.locator("main").innerText();
    await page.goto(base);
    const front = await main();
    for (const word of ["Lịch phát thanh", "Các buổi hôm nay", "Vừa phát", "Đồng hồ", "Thiết bị âm thanh", "Ổ đĩa", "tinh", "Tiếp theo", "không đạt chỉ tiêu"]) {
      check(front.toLowerCase().includes(word.toLowerCase()), `${name}: the front page lacks "${word}"`);
    }
    check((await page.locator("#alarms li").innerText()).includes("loaxa check"), `${name}: an alarm does not say what to do`);
    check((await page.locator("svg.band rect.quiet").count()) > 0 && (await page.locator("svg.band rect.relay").count()) > 0, `${name}: the band lacks quiet hours or relay`);
    await page.locator("#today summary").first().click();
    check((await page.locator("#today details[open] li").count()) > 0, `${name}: a session does not open`);
    await page.locator("form[action='/sync'] button").click();
    await page.waitForSelector(".said");
    check((await page.locator(".said").innerText()).includes("tinh"), `${name}: nothing is said of the sync`);
    await page.goto(`${base}/week`);
    check((await page.locator("main section").count()) === 7, `${name}: not seven days`);
    check((await page.locator("main .session").count()) >= 7, `${name}: days without sessions`);

    await page.goto(`${base}/received`);
    const received = await main();
    for (const word of ["647/TTCS-TQ", "28/09/2022", "cấp tỉnh", "Chỉ tiêu: 1 lượt mỗi ngày: đủ theo lịch", "Chỉ tiêu: 50 lượt mỗi ngày: chưa đủ", "Sẽ phát", "Nguyễn Văn A duyệt ngày 30/09/2022", "Tin khẩn của tinh", "Tin bão số 4", "lặp lại sau mỗi 10 phút", "sai tên thôn"]) {
      check(received.includes(word), `${name}: what was received lacks "${word}": ${received}`);
    }
    // Listening on the phone: its player really plays.
    const listened = await page.evaluate(async () => {
      const audio = document.querySelector("audio");
      audio.muted = true;
      await audio.play();
      await new Promise((done) => setTimeout(done, 1200));
      const at = audio.currentTime;
      audio.pause();
      return at;
    });
    check(listened > 0.3, `${name}: the phone does not play (${listened})`);
    const heard = await page.evaluate(() => fetch(document.querySelector("audio").src, { headers: { Range: "bytes=0-99" } }).then((r) => r.status));
    check(heard === 206, `${name}: listening answers ${heard}`);
    await page.goto(`${base}/?lang=en`);
    check((await page.locator("html").getAttribute("lang")) === "en", `${name}: no English`);
    await page.goto(`${base}/?lang=vi`);

    // The three reports: seen and printed, and for Word and Excel.
    const report = (which) => page.locator("form").filter({ has: page.locator(`input[value=${which}]`) });
    for (const [which, heading] of [["diary", "NHẬT KÝ"], ["period", "BÁO CÁO"], ["campaign", "BÁO CÁO"]]) {
      await page.goto(`${base}/reports`);
      if (which === "period") {
        await report(which).locator("select[name=kind]").selectOption("quarter");
        await report(which).locator("input[name=ending]").fill(day(0).slice(0, 7));
        await report(which).locator("input[name=calendar]").check();
      }
      await report(which).locator("button[value=html]").click();
      await page.waitForURL(new RegExp(`which=${which}`));
      await page.waitForLoadState();
      check((await page.locator("body").innerText()).toUpperCase().includes(heading), `${name}: no ${which}`);
      await shot(`report-${which}`);
      const pdf = await page.pdf({ preferCSSPageSize: true });
      check(pdf.subarray(0, 5).toString() === "%PDF-" && pdf.length > 5000, `${name}: ${which} does not print`);
      for (const format of ["docx", "xlsx"]) {
        await page.goto(`${base}/reports`);
        const [file] = await Promise.all([page.waitForEvent("download"), report(which).locator(`button[value=${format}]`).click()]);
        check(file.suggestedFilename().endsWith(`.${format}`), `${name}: ${which} as ${format}: ${file.suggestedFilename()}`);
        check(readFileSync(await file.path()).subarray(0, 2).toString() === "PK", `${name}: ${which}: that is no ${format}`);
      }
    }

    // A verified clip from above, then the test tone; each stopped by one of the three ways, resumed by its button.
    for (const [path, clip, how, word] of [["/received", "tinh/cd1", "session", "Đã dừng đến"], ["/play", "tone", "day", "Đã dừng đến"]]) {
      await page.goto(base + path);
      await page.locator(`button[value="${clip}"]`).first().click();
      await page.waitForLoadState();
      check((await page.locator(".said").innerText()).includes("Đang phát ra loa"), `${name}: ${clip} is not played: ${await page.locator(".said").innerText()}`);
      await page.goto(base);
      await page.locator("#stop summary").click();
      await page.locator("#stop input[name=why]").fill("thử");
      await page.locator(`button[value=${how}]`).click();
      await page.waitForSelector(".said");
      check((await page.locator(".said").innerText()).includes(word), `${name}: ${how}: ${await page.locator(".said").innerText()}`);
      check(status().state === "stopped", `${name}: ${how} does not stop`);
      await page.locator("button.go").click();
      await page.waitForSelector(".said");
      check(status().state !== "stopped", `${name}: no going on after ${how}`);
    }
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
    const all = await page.locator("main .rows li").count();
    await page.locator("select[name=outcome]").selectOption("interrupted");
    await page.locator("form.filter button").click();
    await page.waitForURL(/outcome=interrupted/);
    const some = await page.locator("main .rows li").allInnerTexts();
    check(some.length > 0 && some.length <= all && some.every((t) => t.includes("Bị ngắt giữa chừng: Đang tạm dừng")), `${name}: the filter: ${some}`);
    for (const [ending, begins] of [["csv", "\u00ef\u00bb\u00bf"], ["xlsx", "PK"], ["jsonl", "{"]]) {
      const [download] = await Promise.all([page.waitForEvent("download"), page.locator(`a[href^='/log.${ending}']`).click()]);
      check(download.suggestedFilename() === `nhat-ky.${ending}`, `${name}: no download as ${ending}`);
      const bytes = readFileSync(await download.path());
      check(bytes.subarray(0, begins.length).toString("latin1") === begins && bytes.length > 200, `${name}: ${ending} is something else`);
    }
    await page.locator("input[name=from]").fill("2020-01-01");
    await page.locator("input[name=to]").fill("2020-01-02");
    await page.locator("form.filter button").click();
    await page.waitForURL(/from=2020-01-01/);
    check((await main()).includes("Chưa có dòng nào"), `${name}: rows of 2020`);
    await page.goto(base);
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
