"""What the station page weighs: the first view in bytes, and the daemon's memory at rest, with ten people who follow
the page live, and while it plays for them. Run by scripts/weigh-page; ends with 1 when a limit is passed.
"""
import argparse
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

MOST_BYTES = 60_000
MOST_MB = 20.0
HERE = timezone(timedelta(hours=7))


def listen_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000 * 1.024
    raise RuntimeError("no VmRSS")


class Follower(threading.Thread):
    """Reads /live as a browser does."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.heard = 0
        self.start()

    def run(self):
        try:
            while block := self.socket.recv(65536):
                self.heard += len(block)
        except OSError:
            pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loaxa", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--device", default="null", help="an ALSA name, or null")
    parser.add_argument("--seconds", type=int, default=20, help="how long each state is watched")
    asked = parser.parse_args()
    root, loaxa = Path(asked.root).resolve(), str(Path(asked.loaxa).resolve())
    folder = Path(tempfile.mkdtemp(prefix="loaxa-weigh-"))
    config = folder / "station.toml"
    environment = dict(os.environ, LOAXA_TRIAL="1", LOAXA_CONFIG=str(config))
    run = lambda *words: subprocess.run([loaxa, *words], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    daemon = None
    try:
        # The demo's station with the demo's province, quiet hours far from now, the first session in a minute.
        port, now = listen_port(), datetime.now(HERE)
        clock = lambda minutes: (now + timedelta(minutes=minutes)).strftime("%H:%M")
        shutil.copytree(root / "audio/province", folder / "province")
        run("keygen", "--out", "tinh")
        run("publish", "province", "--key", "tinh.key", "--out", "out")
        key = (folder / "tinh.pub").read_text().splitlines()[-1]
        config.write_text(f"""[station]
id = "xa-binh-minh"
name = "Đài Truyền thanh xã Bình Minh (ví dụ)"
[state]
dir = "state"
[[source]]
id = "tinh"
origin = "tinh"
url = "http://127.0.0.1:9/playlist.json"
public_keys = ["{key}"]
[local]
playlist = "local.toml"
clips = "{root / 'audio/commune'}"
[output]
device = "{asked.device}"
[quiet_hours]
from = "{clock(700)}"
to = "{clock(705)}"
shorter_by = "thử"
[time]
trust = "always"
[page]
listen = "127.0.0.1:{port}"
""")
        lines = (root / "config/demo/commune/local.toml").read_text().replace('at = "17:00"', f'at = "{clock(30)}"')
        (folder / "local.toml").write_text(lines)
        run("import", "out")
        daemon = subprocess.Popen([loaxa, "run"], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        get = lambda path: urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).read()
        for tries in range(200):
            try:
                get("/")
                break
            except OSError:
                time.sleep(0.1)
        parts = {path: len(get(path)) for path in ("/", "/page.css", "/page.js")}
        weight = sum(parts.values())
        print(f"first view: {weight} bytes ({', '.join(f'{p} {n}' for p, n in parts.items())}), limit {MOST_BYTES}")

        def watch(what, seconds=asked.seconds):
            most, until = 0.0, time.monotonic() + seconds
            while time.monotonic() < until:
                most = max(most, resident_mb(daemon.pid))
                time.sleep(0.25)
            print(f"{what}: {resident_mb(daemon.pid):.1f} MB now, {most:.1f} MB at most")
            return most

        # Where the machine starts from settles first.
        time.sleep(8)
        watch("nobody looks")
        followers = [Follower(port) for _ in range(10)]
        for path in ("/week", "/received", "/play", "/log", "/reports"):
            get(path)
        followed = watch("ten follow")
        play = threading.Thread(target=lambda: run("play", "ban-tin", "--wait"), daemon=True)
        play.start()
        playing = watch("ten follow, a clip plays")
        heard = min(f.heard for f in followers)
        assert heard > 1000, "a follower heard nothing"
        print(f"each follower got {heard // 1000} kB in {2 * asked.seconds} s at least; limit {MOST_MB:.0f} MB")
        bad = weight >= MOST_BYTES or max(followed, playing) >= MOST_MB
        raise SystemExit(1 if bad else 0)
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


main()
