"""How fast and how light a station takes a list in, beside curl and sha256sum; what a bad line and an idle poll cost.

All in one run over loopback, peers and station by turns, medians. Run by scripts/bench-sync.

  transfer    1 GB in 500 clips: curl fetches the same files from the same server, then sha256sum and sync; loaxa
              fetches, hashes, flushes, and brings the list into force. Twice: as a station that has and only lost the
              files, which is the transfer alone, and what the bound is of; and as one that has never seen the clips,
              which decodes each one whole in a process of its own beside the transfer of the next: the peer does
              nothing of the kind, so that ratio is shown and bounded by nothing but the processors.
  bad line    50 MB over a line of 1 MB/s that is reset within each second: bytes sent against bytes needed.
  idle poll   nothing new: requests, bytes each way, bytes the kernel wrote to the disk for it.
"""
import argparse
import array
import http.server
import json
import os
import random
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

NEVER = 3  # rounds of a station that has never seen the clips
RATE = 96_000  # of the clips: much data for little sound, so that decoding does not hide the transfer


def run(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **more).stdout


def wav(path, noise, number, size):
    """A clip of `size` bytes: 32-bit stereo noise, its beginning its own."""
    body = noise[: size - 44]
    body[:4096] = random.Random(number).randbytes(4096)
    for at in range(3, 4096, 4):  # the loudest byte of each sample: soft
        body[at] = (body[at] & 0x0f) - 8 & 0xff
    head = b"RIFF" + struct.pack("<I", size - 8) + b"WAVEfmt " + struct.pack(
        "<IHHIIHH", 16, 1, 2, RATE, RATE * 8, 8, 32) + b"data" + struct.pack("<I", len(body))
    path.write_bytes(head + body)


class Province:
    def __init__(self, loaxa, folder, clips, size):
        self.loaxa, self.folder, self.out = loaxa, folder, folder / "out"
        self.source = folder / "in"
        self.source.mkdir(parents=True)
        samples = array.array("i", (random.Random(1).randrange(-(1 << 27), 1 << 27) for _ in range(size // 4)))
        noise = bytearray(samples.tobytes())
        text = ['source = "tinh"']
        for n in range(clips):
            wav(self.source / f"{n}.wav", noise, n, size)
            text.append(f'[[clips]]\nid = "c{n}"\nfile = "{n}.wav"\ntitle = "Bài {n}"\nkind = "nhac_cat"')
        names = ", ".join(f'"c{n}"' for n in range(clips))
        text.append(f'[[offers]]\nid = "o"\nitems = [{names}]')
        (self.source / "playlist.toml").write_text("\n".join(text))
        self.key = run(loaxa, "keygen", "--out", folder / "tinh").strip()
        run(loaxa, "publish", self.source, "--key", folder / "tinh.key", "--out", self.out)
        shutil.rmtree(self.source)
        self.list = json.loads((self.out / "playlist.json").read_text())

    @property
    def bytes(self):
        return sum(c["bytes"] for c in self.list["clips"])


class Station:
    """A box and its daemon."""

    def __init__(self, loaxa, folder, url, key, poll="24h"):
        self.loaxa, self.folder = loaxa, folder
        folder.mkdir()
        (folder / "station.toml").write_text(
            f'[station]\nid = "xa-do"\nname = "Đài đo"\ndevice_id = "do-01"\n[state]\ndir = "{folder}/state"\n'
            f'[[source]]\nid = "tinh"\norigin = "tinh"\nurl = "{url}"\npublic_keys = ["{key}"]\npoll = "{poll}"\n'
            f'[output]\ndevice = "null"\n[time]\ntrust = "always"\n')
        self.env = dict(os.environ, LOAXA_TRIAL="1", LOAXA_CONFIG=str(folder / "station.toml"), LANG="C.UTF-8")

    def start(self):
        self.log = open(self.folder / "log", "a")
        self.process = subprocess.Popen([self.loaxa, "run"], env=self.env, stdout=self.log, stderr=self.log)
        while self.status() is None:
            if self.process.poll() is not None:
                sys.exit((self.folder / "log").read_text())
            time.sleep(0.02)

    def status(self):
        done = subprocess.run([self.loaxa, "status", "--json"], env=self.env, capture_output=True)
        return json.loads(done.stdout) if done.stdout else None

    def serial(self):
        return (self.status() or {"sources": [{}]})["sources"][0].get("serial")

    def sync(self):
        """Until a list is in force; seconds."""
        began = time.monotonic()
        while True:
            subprocess.run([self.loaxa, "sync"], env=self.env, capture_output=True)
            if self.serial():
                return time.monotonic() - began

    def field(self, file, name):
        text = Path(f"/proc/{self.process.pid}/{file}").read_text()
        return int(re.search(rf"^{name}:\s*(\d+)", text, re.M)[1])

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Files(http.server.ThreadingHTTPServer):
    """A server that counts, and when told to resets its lines."""
    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Asked)
        self.folder, self.speed, self.dice = folder, None, random.Random(7)
        self.lock, self.asked, self.came, self.went, self.resets = threading.Lock(), 0, 0, 0, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/playlist.json"


class Asked(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def put(self, data):
        self.wfile.write(data)
        with self.server.lock:
            self.server.went += len(data)

    def do_GET(self):
        server = self.server
        with server.lock:
            server.asked += 1
            server.came += len(self.raw_requestline) + sum(len(f"{k}: {v}\r\n") for k, v in self.headers.items()) + 2
        path = server.folder / self.path.lstrip("/")
        if not path.is_file():
            return self.put(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        data, tag = path.read_bytes(), f'"{path.stat().st_mtime_ns:x}"'
        if self.headers.get("If-None-Match") == tag:
            return self.put(f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode())
        first = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if first and self.headers.get("If-Range", tag) == tag:
            at = int(first[1])
            head = f"206 Partial Content\r\nContent-Range: bytes {at}-{len(data) - 1}/{len(data)}"
        else:
            at, head = 0, "200 OK"
        self.put(f"HTTP/1.1 {head}\r\nContent-Length: {len(data) - at}\r\nETag: {tag}\r\n\r\n".encode())
        if server.speed is None or path.suffix != ".wav":
            return self.put(data[at:])
        began, sent, life = time.monotonic(), 0, server.dice.uniform(0.05, 1)
        while at + sent < len(data):
            if time.monotonic() - began >= life:
                server.resets += 1
                self.close_connection = True
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            piece = data[at + sent:at + sent + 10_000]
            self.put(piece)
            sent += len(piece)
            time.sleep(max(0, sent / server.speed - (time.monotonic() - began)))


def curl(province, folder, url):
    """The same files by curl, then sha256sum, then sync; seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    base = url.rsplit("/", 1)[0]
    clips = province.list["clips"]
    config, sums = folder / "curl.txt", folder / "sums.txt"
    config.write_text("".join(f'url = "{base}/{c["url"]}"\noutput = "{folder}/{c["sha256"]}.wav"\n' for c in clips))
    sums.write_text("".join(f'{c["sha256"]}  {folder}/{c["sha256"]}.wav\n' for c in clips))
    began = time.monotonic()
    run("curl", "--silent", "--show-error", "--fail", "--config", config)
    fetched = time.monotonic()
    run("sha256sum", "--quiet", "--check", sums)
    hashed = time.monotonic()
    run("sync", *(f'{folder}/{c["sha256"]}.wav' for c in clips))
    done = time.monotonic()
    return done - began, fetched - began, hashed - fetched, done - hashed


def transfer(loaxa, folder, clips, size, rounds):
    province = Province(loaxa, folder / "province", clips, size)
    server = subprocess.Popen([loaxa, "serve", province.out, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    try:
        # Everything once from the disk, for all of them.
        curl(province, folder / "curl", url)
        known = None
        peers, alone, whole, peaks, steps = [], [], [], [], []
        for n in range(rounds):
            times = curl(province, folder / "curl", url)
            peers.append(times[0])
            steps.append(times[1:])
            shutil.rmtree(folder / "curl")
            if n < NEVER:
                shutil.rmtree(folder / f"never{n - 1}", ignore_errors=True)
                station = Station(loaxa, folder / f"never{n}", url, province.key)
                station.start()
                whole.append(station.sync())
                peaks.append(station.field("status", "VmHWM"))
                station.stop()
                memos = folder / "memos"
                memos.mkdir(exist_ok=True)
                known = [shutil.copy(p, memos) for p in (station.folder / "state/clips").glob("*.measured.json")]
                assert len(known) == clips, len(known)
            station = Station(loaxa, folder / f"again{n}", url, province.key)
            (station.folder / "state/clips").mkdir(parents=True)
            for path in known:
                shutil.copy(path, station.folder / "state/clips")
            station.start()
            alone.append(station.sync())
            peaks.append(station.field("status", "VmHWM"))
            station.stop()
            shutil.rmtree(station.folder)
        sample = next((province.out / "clips").iterdir())
        began = time.monotonic()
        for _ in range(20):
            run(loaxa, "probe", sample)
        probe = (time.monotonic() - began) / 20
    finally:
        server.terminate()
    peer, own = statistics.median(peers), statistics.median(alone)
    fetch, hashing, flush = (statistics.median(s[i] for s in steps) for i in range(3))
    mb = province.bytes / 1e6
    decoded = statistics.median(whole)
    # While one processor fetches, the others decode; of a single one both have their share.
    judges = max(1, len(os.sched_getaffinity(0)) - 1)
    print(f"transfer: {mb:.0f} MB in {clips} clips, medians of {rounds}")
    print(f"  curl + sha256sum + sync        {peer:7.2f} s  {mb / peer:7.0f} MB/s  "
          f"(curl {fetch:.2f}, sha256sum {hashing:.2f}, sync {flush:.2f})")
    print(f"  loaxa, the transfer            {own:7.2f} s  {mb / own:7.0f} MB/s")
    print(f"  loaxa, every clip decoded too  {decoded:7.2f} s  {mb / decoded:7.0f} MB/s  "
          f"({probe * 1000:.0f} ms a clip in a process of its own, {judges} at once: {probe * clips / judges:.1f} s)")
    print(f"  speed of the peer's            {peer / own:7.2f}    the transfer (at least 0.8)")
    print(f"                                 {peer / decoded:7.2f}    with every clip decoded for the first time")
    print(f"  most memory                    {max(peaks) / 1024:7.1f} MB (under 20)")
    return {"mb": mb, "peer_s": peer, "loaxa_s": own, "decoded_s": decoded, "ratio": peer / own,
            "decoded_ratio": peer / decoded,
            "memory_mb": max(peaks) / 1024, "probe_ms": probe * 1000}


def bad_line(loaxa, folder, size):
    province = Province(loaxa, folder / "line", 1, size)
    server = Files(province.out)
    server.speed = 1e6
    station = Station(loaxa, folder / "flaky", server.url, province.key)
    station.start()
    took = station.sync()
    station.stop()
    ratio = server.went / province.bytes
    print(f"bad line: {province.bytes / 1e6:.0f} MB at 1 MB/s, reset {server.resets} times: done after {took:.0f} s, "
          f"{ratio:.3f} times the bytes (at most 1.15)")
    server.shutdown()
    return {"resets": server.resets, "seconds": took, "ratio": ratio}


def idle_poll(loaxa, folder, polls=20):
    province = Province(loaxa, folder / "idle", 1, 200_000)
    server = Files(province.out)
    station = Station(loaxa, folder / "quiet", server.url, province.key, "1s")
    station.start()
    # The list is there, and the look at the log that follows a start is over. What a person asks for is a row of the
    # log: the polls are the station's own.
    while not (station.serial() and station.status()["log"].get("looked_over_at")):
        time.sleep(1)
    time.sleep(5)
    with server.lock:
        server.asked = server.came = server.went = 0
    before = station.field("io", "write_bytes")
    began = time.monotonic()
    while server.asked < polls:
        time.sleep(0.05)
    written = station.field("io", "write_bytes") - before
    polls = server.asked
    print(f"{polls} polls in {time.monotonic() - began:.0f} s")
    station.stop()
    print(f"idle poll: {server.came // polls} bytes asked, "
          f"{server.went // polls} answered, {written} written by {polls} of them")
    server.shutdown()
    return {"came": server.came // polls, "went": server.went // polls,
            "written": written}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--loaxa", required=True)
    arguments.add_argument("--clips", type=int, default=500)
    arguments.add_argument("--bytes", type=int, default=2_000_000, help="of a clip")
    arguments.add_argument("--line", type=int, default=50_000_000, help="bytes over the bad line")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json")
    told = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="loaxa-bench-") as temp:
        folder = Path(temp)
        found = {"transfer": transfer(told.loaxa, folder, told.clips, told.bytes // 8 * 8 + 44, told.rounds),
                 "line": bad_line(told.loaxa, folder, told.line // 8 * 8 + 44),
                 "poll": idle_poll(told.loaxa, folder)}
    if told.json:
        Path(told.json).write_text(json.dumps(found, indent=2) + "\n")
    fine = (found["transfer"]["ratio"] >= 0.8 and found["transfer"]["memory_mb"] < 20
            and found["line"]["ratio"] <= 1.15 and max(found["poll"]["came"], found["poll"]["went"]) < 1024 and found["poll"]["written"] == 0)
    sys.exit(0 if fine else "a bound is passed")


main()
