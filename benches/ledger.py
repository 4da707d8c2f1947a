"""The airing log at a million rows: csv beside the sqlite3 shell, verify, what they weigh, and how soon the daemon is up.

Makes the rows itself, in the very form loaxa gives them, each hash computed here: that `loaxa verify` finds them whole is
the proof that both mean the same chain. Peers run in turn in the same run, pair by pair; medians are printed and
compared. Run by scripts/bench-ledger.
"""
import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

HANOI = timezone(timedelta(hours=7))
ITEMS = 9              # airings of a session; with its plan ten rows
SESSIONS_A_DAY = 12    # a busy station
PAGE = 4096            # bytes of a page of the database
CONFIG = """
[station]
id = "xa-binh-minh"
name = "Đài Truyền thanh xã Bình Minh"
device_id = "bm-01"
[state]
dir = "{dir}"
[local]
playlist = "local.toml"
clips = "clips"
[output]
device = "null"
[time]
trust = "always"
"""
LOCAL = """
[[clips]]
id = "a"
file = "a.wav"
title = "Nhạc hiệu"
kind = "nhac_hieu"
duration_ms = 1000
[[slots]]
id = "sang"
name = "Buổi sáng"
at = "05:30"
items = ["a"]
"""


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+07:00"


def text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Chain:
    """Rows in the order of the contract, each bound to the one before."""

    def __init__(self, log_id, seq, head):
        self.ids = {"station_id": "xa-binh-minh", "device_id": "bm-01", "log_id": log_id, "boot_id": "b" * 36}
        self.seq, self.head = seq, head

    def seal(self, row, written):
        self.seq += 1
        row["seq"] = self.seq
        row.update(self.ids)
        row["recorded_at"] = written
        row["prev_hash"] = self.head.hex()
        canonical = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        self.head = hashlib.sha256(self.head + canonical.encode()).digest()
        row["hash"] = self.head.hex()
        return row


def airing(key, start, n):
    planned = start + timedelta(seconds=20 * (n - 1))
    at = stamp(planned)
    cut = n == 5 and start.day % 11 == 0
    return planned, {
        "seq": None, "type": "airing", "airing_id": f"{key}/{n}", "station_id": "", "device_id": "", "log_id": "",
        "boot_id": "", "kind": "scheduled", "source": "tinh", "origin": "tinh", "slot_source": "local", "slot_id": "sang",
        "slot_name": "Buổi sáng", "session_start": stamp(start), "position": n, "offer_id": "tinh/cds",
        "playlist_serial": 12, "clip_id": f"cd{n}", "clip_sha256": "ab" * 32,
        "title": "Nội dung Quyết định số 1092/QĐ-BTTTT", "clip_kind": "ban_tin", "priority": "priority",
        "campaign_id": "tinh/cds-2022", "topic_id": "tinh/CD1", "doc_number": "647/TTCS-TQ",
        "approved_by": "Nguyễn Văn A", "approved_at": "2022-09-30", "planned_at": at,
        "started_at": at, "ended_at": stamp(planned + timedelta(seconds=8.5 if cut else 20)), "clip_ms": 20000,
        "played_ms": 8500 if cut else 20000, "start_error_ms": 0.42, "outcome": "partial" if cut else "aired",
        "reason": "power_off" if cut else None, "gain_db": -6.5, "output": "default", "clock": "synced", "by": None,
        "recorded_at": None,
    }


def fill(db, rows):
    """Appends so many rows, the last session yesterday."""
    log_id, = db.execute("SELECT value FROM meta WHERE name = 'log_id'").fetchone()
    seq, head = db.execute("SELECT seq, hash FROM rows ORDER BY seq DESC LIMIT 1").fetchone()
    chain = Chain(log_id, seq, head)
    sessions = rows // (ITEMS + 1)
    first = datetime.now(HANOI).replace(hour=6, minute=0, second=0, microsecond=0)
    first -= timedelta(days=sessions // SESSIONS_A_DAY + 1)

    def made():
        for session in range(sessions):
            start = first + timedelta(days=session // SESSIONS_A_DAY, hours=session % SESSIONS_A_DAY)
            key = "local/sang/" + start.strftime("%Y-%m-%dT%H:%M:%S+07:00")
            airings = [airing(key, start, n) for n in range(1, ITEMS + 1)]
            items = [{k: row[k] for k in ("airing_id", "planned_at", "clip_id", "source", "clip_sha256", "clip_ms")}
                     | {"blocked": None} for _, row in airings]
            plan = {"seq": None, "type": "session", "slot_source": "local", "slot_id": "sang", "slot_name": "Buổi sáng",
                    "session_start": stamp(start), "kind": "scheduled", "priority": "normal", "items": items}
            start_ms = int(start.timestamp()) * 1000
            row = chain.seal(plan, stamp(start - timedelta(seconds=60)))
            yield chain.seq, "session", None, None, start_ms, start_ms, text(row), chain.head
            for planned, row in airings:
                row = chain.seal(row, row["ended_at"])
                planned_ms = int(planned.timestamp()) * 1000
                yield chain.seq, "airing", row["airing_id"], None, planned_ms, start_ms, text(row), chain.head

    with db:
        db.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)", made())
        db.execute("UPDATE meta SET value = ? WHERE name = 'head'", (f"{chain.seq}:{chain.head.hex()}",))
        # loaxa writes it anew with its next row.
        db.execute("DELETE FROM meta WHERE name = 'check'")
    return chain.seq


def measured(argv, **more):
    """Runs a program: seconds, the most memory it had resident, MB, and seconds of processor time."""
    began = time.monotonic()
    child = subprocess.Popen(argv, **more)
    # The kernel's account of a child begins with what its parent weighed when it forked: look at the child itself.
    peak, done = 0, False
    while not done:
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
            peak = max(peak, next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")))
        time.sleep(0.01)
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        done = pid != 0
    seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, argv))[:200]}")
    return seconds, peak / 1000, usage.ru_utime + usage.ru_stime


def forget(path):
    """Drops a file from the kernel's memory, so that it is read from the disk again."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def start(loaxa, config, folder, env):
    """Starts the daemon; seconds until it says that it is ready, its memory then, MB, and its processor time."""
    name = str(folder / "notify")
    Path(name).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name)
        heard.settimeout(60)
        began = time.monotonic()
        child = subprocess.Popen([loaxa, "run", "--config", config], env=env | {"NOTIFY_SOCKET": name},
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while b"READY=1" not in heard.recv(4096):
            pass
        seconds = time.monotonic() - began
        status = Path(f"/proc/{child.pid}/status").read_text()
        ticks = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        child.send_signal(signal.SIGTERM)
        child.wait(30)
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return seconds, resident / 1000, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def make(loaxa, folder, rows, env):
    """The station with its log of so many rows; the log and a command line for it."""
    folder.mkdir(parents=True, exist_ok=True)
    log, config = folder / "state" / "loaxa.db", str(folder / "station.toml")
    Path(config).write_text(CONFIG.format(dir=folder / "state"), encoding="utf-8")
    (folder / "local.toml").write_text(LOCAL, encoding="utf-8")
    (folder / "clips").mkdir(exist_ok=True)
    run = lambda *words: [loaxa, *words, "--config", config]
    if not log.exists():
        print(f"making {rows} rows ...", file=sys.stderr)
        start(loaxa, config, folder, env)
        db = sqlite3.connect(log)
        fill(db, rows)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        subprocess.run(run("note", "đủ dòng", "--by", "bench"), check=True, env=env, stdout=subprocess.DEVNULL)
    return log, run


def judged(bounds):
    """Prints what was measured beside what is allowed; how many miss it."""
    print()
    for what, value, most, unit in bounds:
        print(f"{'ok    ' if value <= most else 'MISSED'} {what}: {value:.2f}{unit} (at most {most}{unit})")
    return sum(value > most for _, value, most, _ in bounds)


def speed(rounds, loaxa, folder, log, run, env):
    """Exports, verify and start of a whole log: how many bounds were missed, and the figures."""
    config = str(folder / "station.toml")
    db = sqlite3.connect(log)
    count, = db.execute("SELECT count(*) FROM rows WHERE type = 'airing'").fetchone()
    everything, = db.execute("SELECT count(*) FROM rows").fetchone()
    columns = ["seq", "planned_at", "slot_name", "planned_at", "started_at", "ended_at", "clip_id", "title", "clip_kind",
               "priority", "campaign_id", "topic_id", "doc_number", "clip_ms", "played_ms", "outcome", "reason",
               "device_id", "source", "approved_by"]
    cells = ", ".join(f"json_extract(body, '$.{c}')" for c in columns)
    plain = folder / "plain.db"
    if not plain.exists():
        db.execute(f"ATTACH '{plain}' AS plain")
        named = ", ".join(f"json_extract(body, '$.{c}') AS c{i}" for i, c in enumerate(columns))
        db.execute(f"CREATE TABLE plain.cells AS SELECT {named} FROM rows NOT INDEXED WHERE type = 'airing' ORDER BY seq")
        db.commit()
    db.close()
    chain = folder / "chain.jsonl"

    shell = ["sqlite3", "-readonly", "-csv", "-header", "-separator", ";"]
    extract = [*shell, str(log), f"SELECT {cells} FROM rows NOT INDEXED WHERE type = 'airing' ORDER BY seq"]
    stored = [*shell, str(plain), "SELECT * FROM cells"]
    export = run("export", "--format", "csv", "-o", str(folder / "out.csv"))
    quiet = {"env": env, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def to_file(argv):
        with open(folder / "peer.csv", "wb") as out:
            seconds = measured(argv, env=env, stdout=out)
            os.fsync(out.fileno())
        return seconds

    measured(run("export", "--format", "jsonl", "--chain", "-o", str(chain)), **quiet)
    took = {name: [] for name in ("csv", "shell", "plain", "chain", "verify", "file", "start", "empty")}
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    (empty / "clips").mkdir(exist_ok=True)
    shutil.copy(folder / "local.toml", empty)
    (empty / "station.toml").write_text(CONFIG.format(dir=empty / "state"), encoding="utf-8")
    for one in range(rounds):
        print(f"round {one + 1} of {rounds}", file=sys.stderr)
        took["csv"].append(measured(export, **quiet))
        took["shell"].append(to_file(extract))
        took["plain"].append(to_file(stored))
        took["chain"].append(measured(run("export", "--format", "jsonl", "--chain", "-o", str(chain)), **quiet))
        took["verify"].append(measured(run("verify"), **quiet))
        took["file"].append(measured([loaxa, "verify", str(chain)], **quiet))
        forget(log)
        forget(loaxa)
        took["start"].append(start(loaxa, config, folder, env))
        forget(loaxa)
        took["empty"].append(start(loaxa, str(empty / "station.toml"), folder, env))
    written = sum(1 for _ in open(folder / "out.csv", "rb")) - 1
    if written != count:
        sys.exit(f"csv has {written} lines for {count} airings")

    seconds = {name: statistics.median(run[0] for run in runs) for name, runs in took.items()}
    memory = {name: max(run[1] for run in runs) for name, runs in took.items()}
    busy = {name: statistics.median(run[2] for run in runs) for name, runs in took.items()}
    paired = statistics.median(a[0] / b[0] for a, b in zip(took["csv"], took["shell"]))
    print(f"{everything} rows, {count} airings, {log.stat().st_size / 1e6:.0f} MB; medians of {rounds} rounds\n")
    words = {
        "csv": "loaxa export --format csv", "shell": "sqlite3 -csv, the same columns of the same rows",
        "plain": "sqlite3 -csv, from a table of nothing but these columns", "chain": "loaxa export --format jsonl --chain",
        "verify": "loaxa verify", "file": "loaxa verify FILE (that chain)",
        "start": "loaxa run until ready, log and program read from the disk", "empty": "the same with an empty log",
    }
    for name, what in words.items():
        print(f"{what:58} {seconds[name]:7.2f} s {busy[name]:7.2f} s busy {memory[name]:7.1f} MB")
    bounds = [
        ("csv against the sqlite3 shell, pair by pair", paired, 1.5, ""),
        ("memory of csv", memory["csv"], 40, " MB"),
        ("memory of verify FILE", memory["file"], 40, " MB"),
        ("memory of verify", memory["verify"], 40, " MB"),
        ("verify", seconds["verify"], 10, " s"),
        ("start", seconds["start"], 1, " s"),
    ]
    result = {"rows": everything, "seconds": seconds, "busy": busy, "memory_mb": memory, "csv_to_shell": paired}
    return judged(bounds), result


def pages_of(log, name):
    """The pages of a table or index: its root and, down one side, an interior page; then a few leaves."""
    with contextlib.closing(sqlite3.connect(log)) as db:
        root, = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
    def page(number):
        with open(log, "rb") as file:
            file.seek((number - 1) * PAGE)
            return file.read(PAGE)
    def children(number):
        body = page(number)
        if body[0] not in (2, 5):
            return []
        cells = int.from_bytes(body[3:5], "big")
        at = [int.from_bytes(body[12 + 2 * i:14 + 2 * i], "big") for i in range(cells)]
        return [int.from_bytes(body[a:a + 4], "big") for a in at] + [int.from_bytes(body[8:12], "big")]
    inside = children(root)
    return root, inside[len(inside) // 2], children(inside[len(inside) // 2])


def overwrite(log, *numbers):
    with open(log, "r+b") as file:
        for number in numbers:
            file.seek((number - 1) * PAGE)
            file.write(b"\x5a" * PAGE)


def torn(log, loaxa, config, env):
    """Rows in the write-ahead log, and that torn in its middle: as a card leaves it that tells lies about flushing."""
    keeps = sqlite3.connect(log)
    keeps.execute("SELECT count(*) FROM meta").fetchone()
    for n in range(20):
        words = [loaxa, "note", f"dòng {n}", "--by", "bench", "--config", config]
        subprocess.run(words, check=True, env=env, stdout=subprocess.DEVNULL)
    wal = Path(f"{log}-wal")
    body = bytearray(wal.read_bytes())
    keeps.close()
    middle = len(body) // 2
    body[middle:middle + 64] = b"\x5a" * 64
    wal.write_bytes(body)


def damage(loaxa, folder, log, env):
    """A log damaged in several ways: how soon the station is up, when it is mended, what that weighs, what it costs."""
    station = folder / "damaged"
    config, state = str(station / "station.toml"), station / "state"
    copy = state / "loaxa.db"

    def truncated():
        os.truncate(copy, os.path.getsize(copy) // 3 * 2 // PAGE * PAGE)

    def scattered():
        overwrite(copy, *random.Random(4).sample(range(2, os.path.getsize(copy) // PAGE), 50))

    cases = {
        "header page": lambda: overwrite(copy, 1),
        "root of the rows": lambda: overwrite(copy, pages_of(log, "rows")[0]),
        "interior page of the rows": lambda: overwrite(copy, pages_of(log, "rows")[1]),
        "page of an index": lambda: overwrite(copy, pages_of(log, "rows_planned")[1]),
        "50 pages anywhere": scattered,
        "a third cut off": truncated,
        "write-ahead log torn": lambda: torn(copy, loaxa, config, env),
    }
    figures, bounds = {}, []
    print(f"\n{'damage':28} {'ready':>8} {'mended':>8} {'memory':>9} {'rows lost':>10}")
    for name, spoil in cases.items():
        shutil.rmtree(station, ignore_errors=True)
        (station / "clips").mkdir(parents=True)
        shutil.copy(folder / "local.toml", station)
        Path(config).write_text(CONFIG.format(dir=state), encoding="utf-8")
        shutil.copytree(folder / "state", state, ignore=shutil.ignore_patterns("*.lock", "*.sock", "clips"))
        spoil()
        for file in state.glob("loaxa.db*"):
            forget(file)
        ready, mended, peak, lost = mending(loaxa, config, station, state, env)
        check = subprocess.run([loaxa, "verify", "--config", config], env=env, capture_output=True, text=True)
        if check.returncode != 0:
            sys.exit(f"{name}: verify fails\n{check.stdout[-2000:]}")
        figures[name] = {"ready": ready, "mended": mended, "memory_mb": peak, "lost": lost}
        print(f"{name:28} {ready:6.2f} s {mended:6.2f} s {peak:6.1f} MB {lost:10}")
        bounds += [(f"{name}: station up", ready, 30, " s"), (f"{name}: memory", peak, 64, " MB")]
    shutil.rmtree(station)
    return judged(bounds), {"damage": figures}


def mending(loaxa, config, folder, state, env):
    """Starts a station whose log is damaged: seconds until it is ready, until its log has a row of the repair, the most
    memory it had, MB, and how many rows are lost."""
    name = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name)
        heard.settimeout(600)
        began = time.monotonic()
        with open(folder / "journal", "wb") as journal:
            child = subprocess.Popen([loaxa, "run", "--config", config], env=env | {"NOTIFY_SOCKET": name},
                                     stdout=journal, stderr=journal)
        while b"READY=1" not in heard.recv(4096):
            pass
        ready = time.monotonic() - began
    repair = None
    while repair is None:
        if child.poll() is not None or time.monotonic() - began > 600:
            sys.exit(f"never mended\n{(folder / 'journal').read_text()[-2000:]}")
        # A handle of this process on a database that is exchanged would only be in the way.
        if list(state.glob("loaxa.db.damaged-*")) and not (state / "loaxa.db.mending").exists():
            words = ["sqlite3", "-readonly", str(state / "loaxa.db"),
                     "SELECT body FROM rows WHERE event = 'repair' ORDER BY seq DESC LIMIT 1"]
            said = subprocess.run(words, capture_output=True, text=True).stdout
            repair = json.loads(said)["detail"] if said.strip() else None
        time.sleep(0.05)
    mended = time.monotonic() - began
    peak = next(int(line.split()[1]) for line in Path(f"/proc/{child.pid}/status").read_text().splitlines()
                if line.startswith("VmHWM"))
    child.send_signal(signal.SIGTERM)
    child.wait(60)
    return ready, mended, peak / 1000, repair["missing_rows"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--loaxa", required=True)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--folder", help="keep the log here and use it again")
    arguments.add_argument("--only", choices=["speed", "damage"], help="measure only this; both otherwise")
    arguments.add_argument("--json")
    given = arguments.parse_args()
    loaxa = str(Path(given.loaxa).resolve())
    folder = Path(given.folder or tempfile.mkdtemp(prefix="ledger-")).resolve()
    env = {k: v for k, v in os.environ.items() if not k.startswith("LOAXA_")} | {"LOAXA_TRIAL": "1", "LC_ALL": "C.UTF-8"}
    log, run = make(loaxa, folder, given.rows, env)
    measures = {"speed": lambda: speed(given.rounds, loaxa, folder, log, run, env),
                "damage": lambda: damage(loaxa, folder, log, env)}
    results = {name: measure() for name, measure in measures.items() if given.only in (None, name)}
    if given.json:
        merged = {key: value for _, result in results.values() for key, value in result.items()}
        Path(given.json).write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    if not given.folder:
        shutil.rmtree(folder)
    sys.exit(sum(failed for failed, _ in results.values()) > 0)


main()
