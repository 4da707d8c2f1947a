#!/usr/bin/env bash
# Makes every clip of this folder again: speech from texts/, tunes and the test tone from nothing.
# The same versions of espeak-ng, sox and ffmpeg give the same bytes. Usage: audio/make.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

missing=()
for tool in espeak-ng sox ffmpeg; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if ((${#missing[@]})); then
  echo "audio/make.sh needs ${missing[*]}: apt-get install espeak-ng sox libsox-fmt-all ffmpeg" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
target_lufs=-16.0   # what loaxa publishes to
ceiling_db=-1.8     # some tenths are left to the encoders: in the files the true peak stays at or under -1 dBTP

# measure FILE -> "LUFS PEAK": integrated loudness and true peak by EBU R128
measure() {
  ffmpeg -nostdin -hide_banner -i "$1" -af ebur128=peak=true -f null - 2>&1 |
    awk '/Summary:/ {s = 1} s && $1 == "I:" {i = $2} s && $1 == "Peak:" {p = $2} END {print i, p}'
}

# encode WAV RATE CHANNELS OUT: the name's end says the format
encode() {
  local codec
  case $4 in
    *.mp3) codec=(-c:a libmp3lame -b:a "$([[ $3 == 2 ]] && echo 96k || echo 64k)") ;;
    *.ogg) codec=(-c:a libvorbis -q:a 3 -serial_offset 1) ;;
    *.flac) codec=(-c:a flac -compression_level 12 -sample_fmt s16) ;;
    *.wav) codec=(-c:a pcm_s16le) ;;
  esac
  ffmpeg -nostdin -v error -y -i "$1" -map_metadata -1 -fflags +bitexact -flags:a +bitexact \
    -ar "$2" -ac "$3" "${codec[@]}" "$4"
}

# clip OUT WAV RATE CHANNELS: to the target, peaks held by a limiter that works at 192 kHz and so sees true peaks.
# Encoding changes loudness by some tenths: what is measured, and corrected for, is the encoded file.
clip() {
  local gain loud peak
  read -r loud peak < <(measure "$2")
  gain=$(awk -v t=$target_lufs -v l="$loud" 'BEGIN {printf "%.2f", t - l}')
  for _ in 1 2 3 4; do
    ffmpeg -nostdin -v error -y -i "$2" -bitexact -af \
      "volume=${gain}dB,aresample=192000,alimiter=limit=${ceiling_db}dB:attack=5:release=60:level=false,aresample=$3" \
      -c:a pcm_s16le "$work/level.wav"
    encode "$work/level.wav" "$3" "$4" "$here/$1"
    read -r loud peak < <(measure "$here/$1")
    gain=$(awk -v g="$gain" -v t=$target_lufs -v l="$loud" 'BEGIN {printf "%.2f", g + t - l}')
  done
}

speech() { # OUT TEXT RATE CHANNELS
  espeak-ng -v vi -s 150 -p 42 -g 2 -a 90 -w "$work/raw.wav" -f "$here/texts/$2.txt"
  # a breath before and after, hum and hiss of the synthesiser out, a gentle squeeze: a horn loudspeaker has little room
  sox -R "$work/raw.wav" -r 44100 -c 1 -b 16 "$work/speech.wav" \
    gain -6 highpass 120 lowpass 9000 compand 0.01,0.2 -50,-50,-30,-18,0,-8 0 -90 0.05 \
    silence 1 0.01 0.3% reverse silence 1 0.01 0.3% reverse pad 0.25 0.4
  clip "$1" "$work/speech.wav" "$3" "$4"
}

# ---- tunes: plucked strings on the pentatonic scale of C (do re mi sol la), our own melodies
# tune OUT.wav BEAT NOTE...: NOTE is a name as C4, "-" for a rest, a number after ':' for its length in beats
declare -A tone=([C]=-9 [D]=-7 [E]=-5 [G]=-2 [A]=0)
tune() {
  local out=$1 beat=$2 at=0 note length name semitone start
  shift 2
  local parts=() n=0
  for note in "$@"; do
    length=${note#*:}; [[ $note == *:* ]] || length=1
    name=${note%%:*}
    if [[ $name != - ]]; then
      semitone=$((${tone[${name:0:1}]} + (${name:1} - 4) * 12))
      start=$(awk -v a="$at" -v b="$beat" 'BEGIN {printf "%.4f", a * b}')
      n=$((n + 1))
      # a string, its octave softer, and the place on the stage going to and fro
      sox -R -n -r 44100 -c 1 -b 32 "$work/a.wav" synth 2.2 pluck "%$semitone" fade h 0 2.2 1.4 gain -9
      sox -R -n -r 44100 -c 1 -b 32 "$work/b.wav" synth 2.2 triangle "%$((semitone + 12))" fade l 0.005 2.2 2.1 gain -26
      sox -R -m -v 1 "$work/a.wav" -v 1 "$work/b.wav" -c 2 "$work/n$n.wav" \
        remix "1v0.$((n % 2 ? 9 : 6))" "1v0.$((n % 2 ? 6 : 9))" pad "$start"
      parts+=(-v 1 "$work/n$n.wav")
    fi
    at=$(awk -v a="$at" -v l="$length" 'BEGIN {print a + l}')
  done
  sox -R -m "${parts[@]}" -r 44100 -b 16 "$out" gain -3 highpass 90 reverb 25 40 60 fade h 0 -0 0.6
  rm -f "$work"/n*.wav
}

# bell HERTZ OUT.wav PAD_BEFORE PAD_AFTER: a tone and two partials, dying away
bell() {
  local second third
  second=$(awk -v f="$1" 'BEGIN {print f * 2}')
  third=$(awk -v f="$1" 'BEGIN {print f * 3.01}')
  sox -R -n -r 44100 -c 3 -b 16 "$2" synth 3.4 sine "$1" sine "$second" sine "$third" \
    remix 1v0.6,2v0.2,3v0.07 fade l 0.004 3.4 3.3 pad "$3" "$4"
}

tunes() {
  # nhạc hiệu: a call that climbs, is answered, and comes home
  tune "$work/hieu.wav" 0.27 C4 E4 G4 A4:2 G4 E4 G4:2 D4 E4 G4 C5:2 A4 G4 E4:2 \
    A4 C5 D5 C5 A4 G4 E4 D4 C4:3
  clip commune/nhạc-hiệu.flac "$work/hieu.wav" 32000 2
  # nhạc cắt: four notes between two items
  tune "$work/cat.wav" 0.22 G4 A4 C5 E5:3
  clip commune/nhạc-cắt.ogg "$work/cat.wav" 44100 2
  # nhạc kết: the first tune's answer, slower, downwards
  tune "$work/ket.wav" 0.36 E5 D5 C5:2 A4 C5 A4 G4:2 E4 G4 A4 G4:2 E4 D4 C4:4
  clip commune/nhạc-kết.mp3 "$work/ket.wav" 44100 2
  # chuông: two bells, high and low
  bell 784 "$work/high.wav" 0 0.9
  bell 587.3 "$work/low.wav" 0.9 0
  sox -R -m -v 1 "$work/high.wav" -v 1 "$work/low.wav" "$work/bells.wav" gain -6
  clip commune/chuông.wav "$work/bells.wav" 22050 1
  # test tone: 1 kHz, peak -20 dBFS, two seconds, its ends rounded
  sox -R -n -r 48000 -c 1 -b 16 "$work/tone.wav" synth 2 sine 1000 gain -20 fade h 0.01 2 0.01
  encode "$work/tone.wav" 48000 1 "$here/tone-1khz.wav"
}

mkdir -p "$here/province" "$here/commune"
speech province/cd1.mp3 cd1 44100 1
speech province/cd2.ogg cd2 44100 2
speech province/cd3.flac cd3 24000 1
speech province/thông-điệp-10-10.mp3 td0 44100 1
speech commune/lời-xướng.wav loi-xuong 22050 1
speech commune/bản-tin-xã.mp3 ban-tin 48000 1
speech commune/thông-báo.ogg thong-bao 32000 1
speech commune/chuyên-mục.mp3 chuyen-muc 44100 2
tunes

failed=0 total=0
printf '%-34s %8s %8s %8s %8s\n' clip seconds LUFS dBTP bytes
for file in "$here"/province/*.* "$here"/commune/*.* "$here"/tone-1khz.wav; do
  [[ $file == *.toml ]] && continue
  read -r loud peak < <(measure "$file")
  seconds=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$file")
  bytes=$(stat -c %s "$file")
  total=$((total + bytes))
  printf '%-34s %8.2f %8s %8s %8d\n' "${file#"$here"/}" "$seconds" "$loud" "$peak" "$bytes"
  if awk -v p="$peak" 'BEGIN {exit !(p > -1)}'; then
    echo "  true peak over -1 dBTP" >&2
    failed=1
  fi
done
echo "$total bytes in all"
((total <= 4000000)) || { echo "more than 4 MB" >&2; failed=1; }
exit $failed
