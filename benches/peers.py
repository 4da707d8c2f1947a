"""loaxa beside mpg123 and mpv started exactly at the instant, and beside cron + mpg123: when is a clip heard, how long
is the silence between two, what does it weigh.

Everything plays into one private PulseAudio null sink that is recorded throughout. Each way has its own pair of clips,
and every clip begins with a chirp of its own, so a recording says which clip sounded and when, to a fraction of a
sample. Run by scripts/bench.
"""
import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

RATE = 48_000          # of the sink
CLIP_RATE = 44_100     # of the clips: as files come
CLIP_S = 3.0           # length of one of a pair
CHIRP_S = 0.12
WAYS = ["loaxa", "mpg123", "mpv", "cron"]
SECOND = {"cron": 0, "loaxa": 15, "mpg123": 30, "mpv": 45}  # of the minute: nobody plays over another
HANOI = timezone(timedelta(hours=7))
STATION_CLIPS = 200    # airings a day in loaxa's list


# ---- clips


def chirp(f0, f1, rate):
    t = np.arange(int(CHIRP_S * rate)) / rate
    edge = np.minimum(1, np.minimum(t, CHIRP_S - t) / 0.004)
    return 0.4 * edge * np.sin(2 * np.pi * (f0 * t + (f1 - f0) * t * t / (2 * CHIRP_S)))


def sound(f0, f1, seconds, seed):
    """A chirp, then murmur between 200 and 1,500 Hz up to the last sample."""
    n = int(seconds * CLIP_RATE)
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    f = np.fft.rfftfreq(n, 1 / CLIP_RATE)
    spectrum[(f < 200) | (f > 1500)] = 0
    body = np.fft.irfft(spectrum, n)
    body *= 0.04 / np.std(body)
    head = chirp(f0, f1, CLIP_RATE)
    body[: len(head)] = head
    return body


def write_mp3(path, samples):
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "f32le", "-ar", str(CLIP_RATE), "-ac", "1", "-i", "-",
                    "-c:a", "libmp3lame", "-b:a", "128k", "-map_metadata", "-1", str(path)],
                   input=samples.astype("<f4").tobytes(), check=True)


def decoded_head(path):
    """The chirp as the MP3 has it, at the sink's rate, encoder delay removed by ffmpeg."""
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-ac", "1", "-ar", str(RATE), "-t", str(CHIRP_S),
                          "-f", "f32le", "-"], stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(raw, "<f4").astype(np.float64)


def make_clips(folder):
    """Pairs of clips by way; the two sweep through different bands in opposite directions."""
    pairs = {}
    for k, way in enumerate(WAYS):
        low, high = 1800 + 900 * k, 7500 + 1500 * k
        pair = []
        for which, (f0, f1) in enumerate([(low, high), (high, low)]):
            path = folder / f"{way}-{which}.mp3"
            write_mp3(path, sound(f0, f1, CLIP_S, 10 * k + which))
            pair.append(path)
        pairs[way] = pair
    minute = folder / "minute.mp3"
    write_mp3(minute, sound(500, 700, 60.0, 99))
    return pairs, minute


# ---- the sink and its recording


class Sink:
    """A PulseAudio of our own with one null sink, in a folder of our own."""

    def __init__(self, folder):
        self.run = folder / "pulse"
        self.run.mkdir(mode=0o700)
        conf = self.run / "asound.conf"
        conf.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n")
        socket = self.run / "native"
        self.env = dict(os.environ, XDG_RUNTIME_DIR=str(self.run), PULSE_RUNTIME_PATH=str(self.run),
                        PULSE_STATE_PATH=str(self.run), PULSE_SERVER=f"unix:{socket}", ALSA_CONFIG_PATH=str(conf))
        self.process = subprocess.Popen(
            ["pulseaudio", "-n", "-F", "/dev/null", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
             "--high-priority=no", f"--log-target=file:{self.run / 'log'}",
             "-L", f"module-null-sink sink_name=bench rate={RATE} channels=2 format=s16le",
             "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if subprocess.run(["pactl", "info"], env=self.env, capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit(f"pulseaudio did not start: {(self.run / 'log').read_text()[-500:]}")

    def close(self):
        self.process.terminate()
        self.process.wait()


class Recording:
    """The sink's monitor, each block stamped with the wall clock as it arrives.

    The null sink renders a block at the moment at which it begins to sound and hands it over at once; its last sample
    would sound one block later. So the earliest arrivals, less their position, plus one block, give the wall time of
    sample 0. The sink's clock strays from the wall clock, hence that is asked for near each place, not once.
    """

    BLOCK_S = 0.002    # the latency asked for: the smallest in play, so the sink's block is this one

    def __init__(self, sink):
        self.blocks, self.stamps, self.count = [], [], 0
        self.process = subprocess.Popen(
            ["parec", "--raw", "-d", "bench.monitor", "--format=s16le", f"--rate={RATE}", "--channels=1",
             f"--latency-msec={int(self.BLOCK_S * 1000)}"], env=sink.env, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        end = time.time() + 10
        while self.count < RATE // 2:
            if time.time() > end:
                raise SystemExit("nothing can be recorded from the null sink")
            time.sleep(0.05)

    def _read(self):
        fd = self.process.stdout.fileno()
        while block := os.read(fd, 1 << 16):
            self.count += len(block) // 2
            self.stamps.append((time.time(), self.count))
            self.blocks.append(block)

    def stop(self):
        time.sleep(0.3)
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        raw = b"".join(self.blocks)
        self.audio = np.frombuffer(raw[: len(raw) // 2 * 2], "<i2").astype(np.float32) / 32768
        stamps = np.array(self.stamps)
        self.arrived, self.ends = stamps[:, 0], stamps[:, 1]
        self.offset = self.arrived - self.ends / RATE + self.BLOCK_S

    def wall(self, index):
        """Wall time of a sample: the earliest arrival within two seconds around it."""
        a, b = np.searchsorted(self.ends, [index - RATE, index + RATE])
        return index / RATE + float(self.offset[max(0, a - 1): b + 1].min())

    def find(self, head, begin, end):
        """Sample at which `head` begins between two wall times, or None."""
        base = float(np.median(self.offset))
        a = max(0, int((begin - base) * RATE))
        part = self.audio[a: int((end - base) * RATE) + len(head)].astype(np.float64)
        if len(part) < 2 * len(head):
            return None
        n = 1 << math.ceil(math.log2(len(part) + len(head)))
        match = np.fft.irfft(np.fft.rfft(part, n) * np.conj(np.fft.rfft(head, n)), n)[: len(part) - len(head)]
        power = np.concatenate([[0.0], np.cumsum(part * part)])
        power = np.sqrt(np.maximum(power[len(head):] - power[: -len(head)], 1e-9))[: len(match)]
        score = match / np.maximum(power * np.linalg.norm(head), 0.05 * np.linalg.norm(head) ** 2)
        i = int(np.argmax(score))
        if score[i] < 0.5:
            return None
        shift = 0.0
        if 0 < i < len(score) - 1:
            l, m, r = score[i - 1: i + 2]
            if l - 2 * m + r:
                shift = 0.5 * (l - r) / (l - 2 * m + r)
        return a + i + shift


# ---- what a process weighs

TICKS = os.sysconf("SC_CLK_TCK")


def family(root):
    """The process and all below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parent = int(stat[stat.rindex(")") + 2:].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def rss_mb(root):
    total = 0
    for pid in family(root):
        try:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total / 1024


def cpu_s(root):
    total = 0
    for pid in family(root):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            total += sum(map(int, stat[stat.rindex(")") + 2:].split()[11:15]))
        except OSError:
            pass
    return total / TICKS


def threads_s(pid):
    """CPU of each living thread, to the nanosecond."""
    found = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            found[path.parent.name] = int(path.read_text().split()[0]) / 1e9
        except OSError:
            pass
    return found


class Weight(threading.Thread):
    """Memory (median of one a second) and CPU a minute of a process tree over some seconds."""

    def __init__(self, pid, seconds):
        super().__init__()
        self.pid, self.seconds, self.rss, self.cpu = pid, seconds, None, None
        self.start()

    def run(self):
        began, first, samples = time.time(), cpu_s(self.pid), []
        last, at, threads = first, began, threads_s(self.pid)
        while time.time() - began < self.seconds:
            time.sleep(1)
            mb = rss_mb(self.pid)
            if not mb:
                break
            samples.append(mb)
            last, at = max(last, cpu_s(self.pid)), time.time()
        # The kernel's count goes in steps of 10 ms, which is much of what an idle process uses; what its threads have
        # used is known exactly, but only of those that are still there.
        exactly = sum(now - threads.get(thread, 0) for thread, now in threads_s(self.pid).items())
        if samples:
            self.rss = float(np.median(samples))
            self.cpu = max(last - first, exactly) / (at - began) * 60


# ---- loaxa


def local(t):
    return datetime.fromtimestamp(t, HANOI)


def write_station(folder, pair, starts, minute, minute_at):
    """A station whose list holds the starts to be measured, the long clip, and a day full of other sessions."""
    clips = folder / "clips"
    clips.mkdir()
    for name, path in [("a", pair[0]), ("b", pair[1]), ("minute", minute)]:
        shutil.copy(path, clips / f"{name}.mp3")
    far = local(starts[0] + 12 * 3600)
    quiet = far.replace(minute=0, second=0, microsecond=0)
    (folder / "station.toml").write_text(f"""
[station]
id = "bench"
name = "Bench"
device_id = "bench-01"

[state]
dir = "{folder / 'state'}"

[local]
playlist = "local.toml"
clips = "clips"

[output]
device = "default"

[quiet_hours]
from = "{quiet:%H:%M}"
to = "{quiet + timedelta(minutes=30):%H:%M}"
shorter_by = "bench"

[time]
trust = "always"
""")
    out = []
    for name in ["a", "b", "minute"]:
        out.append(f'[[clips]]\nid = "{name}"\nfile = "{name}.mp3"\ntitle = "{name}"\nkind = "ban_tin"\n'
                   'approved_by = "bench"\napproved_at = "2026-01-01"\n')

    def slot(name, t, items):
        at = local(t)
        out.append(f'[[slots]]\nid = "{name}"\ncron = "{at.second} {at.minute} {at.hour} {at.day} {at.month} *"\n'
                   f"items = {json.dumps(items)}\n")

    for n, t in enumerate(starts):
        slot(f"start-{n}", t, ["a", "b"])
    slot("minute", minute_at, ["minute"])
    first = math.ceil(minute_at / 60) * 60 + 3600
    for n in range(STATION_CLIPS):
        t = first + n * 180
        if not (quiet <= local(t + 10) <= quiet + timedelta(minutes=31)):
            slot(f"day-{n}", t, ["a"])
    (folder / "local.toml").write_text("\n".join(out))
    return folder / "station.toml"


# ---- cron, as people do it


class Cron:
    """A line in /etc/cron.d that plays the pair each minute; taken out again at the end."""

    def __init__(self, sink, pair):
        self.file = Path(f"/etc/cron.d/loaxa-bench-{os.getpid()}")
        self.daemon = None
        env = "".join(f"{k}={sink.env[k]}\n" for k in
                      ["XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "PULSE_SERVER", "ALSA_CONFIG_PATH"])
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self._root(["tee", str(self.file)],
                   f"PATH=/usr/bin:/bin\n{env}* * * * * {user} mpg123 -q -o alsa {pair[0]} {pair[1]} >/dev/null 2>&1\n")
        self._root(["chmod", "0644", str(self.file)])
        if subprocess.run(["pgrep", "-x", "cron"], capture_output=True).returncode:
            self.daemon = subprocess.Popen([*self._sudo(), "cron", "-f"], stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)

    @staticmethod
    def _sudo():
        return [] if os.geteuid() == 0 else ["sudo", "--"]

    def _root(self, command, text=None):
        subprocess.run([*self._sudo(), *command], input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def close(self):
        self._root(["rm", "-f", str(self.file)])
        if self.daemon:
            self._root(["kill", str(self.daemon.pid)])
            self.daemon.wait()


def sleep_until(t):
    while (left := t - time.time()) > 0:
        time.sleep(left if left > 0.02 else min(left, 0.0002))


COMMAND = {
    "mpg123": ["mpg123", "-q", "-o", "alsa"],
    "mpv": ["mpv", "--no-config", "--no-video", "--really-quiet", "--ao=alsa"],
}


def spread(values):
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"n": len(values), "median": float(np.median(values)),
            "worst": float(max(values, key=abs)), "sd": float(np.std(values))}


def shown(s, digits=1):
    return "-" if s is None else f"{s['median']:.{digits}f} / {s['worst']:.{digits}f}"


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    args.add_argument("--loaxa", required=True, help="the program to measure")
    args.add_argument("--rounds", type=int, default=10, help="minutes, one start of each way in each")
    args.add_argument("--weigh", type=int, default=50, help="seconds over which memory and CPU are taken, at most 55")
    args.add_argument("--without-loaxa", action="store_true", help="only the others")
    args.add_argument("--json", help="the figures as a file")
    a = args.parse_args()
    a.weigh = min(a.weigh, 55)
    ways = [w for w in WAYS if not (w == "loaxa" and a.without_loaxa)]

    folder = Path(tempfile.mkdtemp(prefix="loaxa-bench-"))
    folder.chmod(0o755)
    closing = []
    try:
        pairs, minute = make_clips(folder)
        heads = {way: [decoded_head(p) for p in pair] for way, pair in pairs.items()}
        sink = Sink(folder)
        closing.append(sink.close)
        recording = Recording(sink)

        # From the next minute that leaves the daemon 75 s: it starts, and is weighed idle.
        zero = math.ceil((time.time() + 85) / 60) * 60
        planned = {way: [zero + 60 * n + SECOND[way] for n in range(a.rounds)] for way in ways}
        weigh_at = zero + 60 * a.rounds + 5
        print(f"{a.rounds} rounds, done about {local(weigh_at + a.weigh + 10):%H:%M:%S} (+07:00)", file=sys.stderr)

        daemon = idle = idle_again = None
        if "loaxa" in ways:
            (folder / "station").mkdir()
            config = write_station(folder / "station", pairs["loaxa"], planned["loaxa"], minute, weigh_at)
            env = dict(sink.env, LOAXA_TRIAL="1")
            checked = subprocess.run([a.loaxa, "check", "--config", str(config)], env=env, capture_output=True, text=True)
            if checked.returncode:
                raise SystemExit(f"loaxa refuses the bench's config:\n{checked.stdout}{checked.stderr}")
            log = open(folder / "loaxa.log", "w")
            daemon = subprocess.Popen([a.loaxa, "run", "--config", str(config)], env=env, stdout=log, stderr=log)
            closing.append(lambda: (daemon.send_signal(signal.SIGTERM), daemon.wait(20)))
            time.sleep(10)
            if daemon.poll() is not None:
                raise SystemExit(f"loaxa ended: {(folder / 'loaxa.log').read_text()[-2000:]}")
            idle = Weight(daemon.pid, 60)
        cron = Cron(sink, pairs["cron"])
        closing.append(cron.close)

        launches = sorted((t, way) for way in ways if way in COMMAND for t in planned[way])
        running = []
        for t, way in launches:
            if daemon and idle_again is None and t > zero + 60 * (a.rounds - 1) + 25:
                # After the last session of the rounds: what they left behind.
                sleep_until(zero + 60 * (a.rounds - 1) + 25)
                idle_again = Weight(daemon.pid, 30)
            sleep_until(t)
            running.append(subprocess.Popen([*COMMAND[way], *map(str, pairs[way])], env=sink.env,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL))
        sleep_until(zero + 60 * a.rounds - 3)
        closing.remove(cron.close)
        cron.close()

        # One minute of MP3 at the same time by each: memory and CPU. cron's job weighs what mpg123 does.
        sleep_until(weigh_at)
        long = {way: subprocess.Popen([*command, str(minute)], env=sink.env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for way, command in COMMAND.items()}
        time.sleep(1)
        weights = {way: Weight(p.pid, a.weigh) for way, p in long.items()}
        if daemon:
            weights["loaxa"] = Weight(daemon.pid, a.weigh)
        for w in weights.values():
            w.join()
        for p in [*long.values(), *running]:
            if p.poll() is None:
                p.terminate()
            p.wait()
        recording.stop()

        result = {}
        for way in ways:
            errors, gaps = [], []
            for t in planned[way]:
                first = recording.find(heads[way][0], t - 1, t + 8)
                second = recording.find(heads[way][1], t + 1, t + 14)
                errors.append(None if first is None else (recording.wall(first) - t) * 1e3)
                # In the sink's own samples: its clock may stray by 200 ppm, which is no player's fault.
                gaps.append(None if None in (first, second) else ((second - first) / RATE - CLIP_S) * 1e3)
            w = weights.get(way) or (weights["mpg123"] if way == "cron" else None)
            result[way] = {"start_error_ms": spread(errors), "gap_ms": spread(gaps),
                           "not_heard": errors.count(None), "rss_mb": w and w.rss, "cpu_s_per_min": w and w.cpu,
                           "errors_ms": errors}
        for when, w in [("idle", idle), ("idle_again", idle_again)]:
            if w:
                result["loaxa"][f"{when}_rss_mb"] = w.rss
                result["loaxa"][f"{when}_cpu_percent"] = w.cpu and w.cpu / 60 * 100
    finally:
        for close in reversed(closing):
            try:
                close()
            except Exception as error:  # the others are to be closed all the same
                print(f"closing: {error}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)

    named = {"loaxa": "loaxa", "mpg123": "mpg123, launched exactly on time", "mpv": "mpv, launched exactly on time",
             "cron": "cron + mpg123"}
    print("| way | start error ms (median / worst) | gap between two clips ms (median / worst) | not heard "
          "| resident MB | CPU s per minute |\n|---|---:|---:|---:|---:|---:|")
    for way in ways:
        r = result[way]
        rss = "-" if r["rss_mb"] is None else f"{r['rss_mb']:.1f}"
        cpu = "-" if r["cpu_s_per_min"] is None else f"{r['cpu_s_per_min']:.2f}"
        print(f"| {named[way]} | {shown(r['start_error_ms'])} | {shown(r['gap_ms'])} "
              f"| {r['not_heard']} of {a.rounds} | {rss} | {cpu} |")
    for when, w in [("at first", idle), (f"after {a.rounds} sessions", idle_again)]:
        if w and w.rss:
            print(f"\nloaxa idle {when}, device closed, {STATION_CLIPS} airings a day in its list: "
                  f"{w.rss:.1f} MB resident, {w.cpu / 60 * 100:.3f} % CPU")
    if a.json:
        Path(a.json).write_text(json.dumps(result, indent=1))


main()
