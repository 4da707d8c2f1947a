//! Mistakes technicians make: each in its right place, with a sentence that says what to do, in both languages.
//! `LOAXA_BLESS=1 cargo test --test check` writes the golden files anew; look at each one then.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use loaxa::domain::config::{Language, read_config};
use loaxa::domain::document;
use loaxa::domain::findings::{FileRole, Finding};
use loaxa::domain::playlist::{Form, read_list};
use loaxa::domain::station::check_station;

const STATION: &str = include_str!("check/station.toml");
const LOCAL: &str = include_str!("check/local.toml");
const PROVINCE: &str = include_str!("check/province.toml");

/// A mistake: the file's first letter, what is replaced, and by what.
struct Mistake {
    name: &'static str,
    file: char,
    find: &'static str,
    write: &'static str,
}

const fn s(name: &'static str, find: &'static str, write: &'static str) -> Mistake {
    Mistake { name, file: 's', find, write }
}

const fn l(name: &'static str, find: &'static str, write: &'static str) -> Mistake {
    Mistake { name, file: 'l', find, write }
}

const fn p(name: &'static str, find: &'static str, write: &'static str) -> Mistake {
    Mistake { name, file: 'p', find, write }
}

const SANG: &str = "at = \"05:30\"\ndays = \"T2-T6\"\nfrom = \"2022-10-01\"\nto = \"2022-10-31\"\n";
const CHIEU: &str = "cron = \"0 17 * * MON-FRI\"";
const SANG_ITEMS: &str =
    "items = [\"nhac-hieu\", \"ban-tin\", { offers = \"priority\" }, { clip = \"tinh/cd1\", days = \"T2\" }]";

const MISTAKES: &[Mistake] = &[
    // station.toml: form
    s("smart-quotes", "\"bm-01\"", "“bm-01”"),
    s("no-break-space", "clusters = 12", "clusters\u{a0}= 12"),
    s("zero-width-space", "clusters = 12", "\u{200b}clusters = 12"),
    s("long-dash", "gain_db = -6.0", "gain_db = –6.0"),
    s("decimal-comma", "gain_db = -6.0", "gain_db = -6,5"),
    s("missing-bracket", "[output]", "[output"),
    s("missing-brackets-of-entry", "[[daypart]]", "[[daypart]"),
    s("missing-quote", "\"bm-01\"", "\"bm-01"),
    s("missing-front-quote", "\"bm-01\"", "bm-01\""),
    s("no-quotes", "\"bm-01\"", "bm-01"),
    s("no-quotes-two-words", "\"Đài Truyền thanh xã Bình Minh\"", "Đài Truyền thanh xã Bình Minh"),
    s("time-without-quotes-and-minutes", "to = \"06:00\"", "to = 6h"),
    s("colon-for-equals", "clusters = 12", "clusters: 12"),
    s("no-value", "clusters = 12", "clusters ="),
    s("backslash", "\"/var/lib/loaxa\"", "\"C:\\Users\\loaxa\""),
    s("duplicate-key", "clusters = 12", "clusters = 12\nclusters = 13"),
    s("duplicate-table", "[time]", "[output]\ngain_db = -3.0\n\n[time]"),
    s("stray-words", "[state]", "Cấu hình lưu trữ\n[state]"),
    // station.toml: keys and kinds
    s("unknown-key", "clusters", "cluster"),
    s("unknown-key-far", "clusters = 12", "mau_sac = \"xanh\""),
    s("vietnamese-table", "[quiet_hours]", "[gio_yen_lang]"),
    s("vietnamese-key", "timezone", "múi_giờ"),
    s("key-in-wrong-table", "pre_roll = \"2s\"", "pre_roll = \"2s\"\nlisten = \"127.0.0.1:8080\""),
    s("missing-key", "id = \"xa-binh-minh\"\n", ""),
    s("missing-source-key", "origin = \"tinh\"\n", ""),
    s(
        "missing-station",
        "[station]\nid = \"xa-binh-minh\"\nname = \"Đài Truyền thanh xã Bình Minh\"\ndevice_id = \"bm-01\"\ntimezone = \"Asia/Ho_Chi_Minh\"\nclusters = 12\n",
        "",
    ),
    s("two-brackets", "[output]", "[[output]]"),
    s("one-bracket", "[[daypart]]", "[daypart]"),
    s("flag-in-words", "emergency = true", "emergency = \"có\""),
    s("number-in-quotes", "clusters = 12", "clusters = \"12 cụm\""),
    s("text-without-quotes", "\"bm-01\"", "1"),
    s("gain-in-words", "gain_db = -6.0", "gain_db = \"-6 dB\""),
    s("gain-out-of-range", "gain_db = -6.0", "gain_db = -600"),
    s("duration-number", "poll = \"15m\"", "poll = 900"),
    s("duration-words", "poll = \"15m\"", "poll = \"15 phút\""),
    s("duration-range", "pre_roll = \"2s\"", "pre_roll = \"2h\""),
    s("months", "keep_aired = \"6 months\"", "keep_aired = 6"),
    s("size", "clips_quota = \"4GB\"", "clips_quota = \"4\""),
    s("command-in-one", "on_start = []", "on_start = \"gpioset 17=1\""),
    s("timezone", "Asia/Ho_Chi_Minh", "Asia/Ho_Chi_Min"),
    s("language", "clusters = 12", "clusters = 12\nlanguage = \"tiếng Việt\""),
    s("origin", "origin = \"tinh\"", "origin = \"Tỉnh\""),
    s("url", "https://truyenthanh.example.vn/playlist.json", "truyenthanh.example.vn/playlist.json"),
    s("public-key", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", "RWQf6LRCGA9i53ml"),
    s("no-public-key", "[\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]", "[]"),
    s(
        "root-and-public-keys",
        "poll = ",
        "root_keys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]\nthreshold = 1\npoll = ",
    ),
    s(
        "root-key-twice",
        "public_keys = [",
        "root_keys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\", ",
    ),
    s("threshold-too-high", "public_keys = [", "threshold = 2\nroot_keys = ["),
    s("one-root-is-enough", "public_keys = [", "threshold = 1\nroot_keys = ["),
    s("threshold-alone", "public_keys = [", "threshold = 2\npublic_keys = ["),
    s("source-named-local", "id = \"tinh\"", "id = \"local\""),
    s("id-with-slash", "\"xa-binh-minh\"", "\"xa/binh-minh\""),
    s("listen-everywhere", "127.0.0.1:8080", "0.0.0.0:8080"),
    s("listen-without-port", "127.0.0.1:8080", "127.0.0.1"),
    // station.toml: rules
    s("time-25", "to = \"06:00\"", "to = \"25:00\""),
    s("time-24", "to = \"06:00\"", "to = \"24:00\""),
    s("quiet-too-short", "to = \"05:00\"", "to = \"00:30\""),
    s("quiet-too-long", "from = \"21:00\"", "from = \"13:00\""),
    s("quiet-without-decision", "to = \"05:00\"", "to = \"04:30\""),
    s("open-too-long", "to = \"00:30\"", "to = \"04:30\""),
    s("open-without-name", "by = \"Nguyễn Văn A\"\n", ""),
    s("trust-always", "trust = \"auto\"", "trust = \"always\""),
    s("poll-often", "poll = \"15m\"", "poll = \"20s\""),
    // local.toml: times
    l("at-5h30", "at = \"05:30\"", "at = \"5h30\""),
    l("at-with-space", "at = \"05:30\"", "at = \"17 15\""),
    l("at-number", "at = \"05:30\"", "at = 1715"),
    l("at-afternoon", "at = \"05:30\"", "at = \"5 giờ 30 chiều\""),
    l("at-2460", "at = \"05:30\"", "at = \"05:60\""),
    l("at-date-only", "at = \"05:30\"", "at = \"2022-10-05\""),
    l("at-twice", "at = \"05:30\"", "at = [\"05:30\", \"05:30\"]"),
    l("at-empty", "at = \"05:30\"", "at = []"),
    l("days-digits", "days = \"T2-T6\"", "days = \"2-6\""),
    l("days-words", "days = \"T2-T6\"", "days = \"thứ Hai, thứ Tư\""),
    l("days-number", "days = \"T2-T6\"", "days = 2"),
    l("days-t8", "days = \"T2-T6\"", "days = \"T2-T8\""),
    l("date-order", "from = \"2022-10-01\"\nto", "from = \"01/10/2022\"\nto"),
    l("date-30-february", "to = \"2022-10-31\"", "to = \"2022-02-30\""),
    l("to-before-from", "to = \"2022-10-31\"", "to = \"2022-09-30\""),
    l(
        "days-never-meet-dates",
        "days = \"T2-T6\"\nfrom = \"2022-10-01\"\nto = \"2022-10-31\"",
        "days = \"T2\"\nfrom = \"2022-10-01\"\nto = \"2022-10-02\"",
    ),
    l("once-outside", SANG, "at = \"2022-11-05T17:00\"\nto = \"2022-10-31\"\n"),
    l("cron-two-numbers", CHIEU, "cron = \"17 15\""),
    l("cron-swapped", CHIEU, "cron = \"17 15 * * *\""),
    l("cron-digits", CHIEU, "cron = \"0 17 * * 2-6\""),
    l("cron-both-days", CHIEU, "cron = \"0 17 1-7 * MON\""),
    l("cron-four", CHIEU, "cron = \"0 17 * *\""),
    l("cron-seven", CHIEU, "cron = \"0 0 17 * * * 2022\""),
    l("cron-hour-24", CHIEU, "cron = \"0 24 * * *\""),
    l("cron-31-february", CHIEU, "cron = \"0 17 31 2 *\""),
    l("cron-weekday-word", CHIEU, "cron = \"0 17 * * thu2\""),
    l("cron-and-days", CHIEU, "cron = \"0 17 * * *\"\ndays = \"T2-T6\""),
    l("at-and-cron", CHIEU, "cron = \"0 17 * * MON-FRI\"\nat = \"17:00\""),
    l("no-time", "cron = \"0 17 * * MON-FRI\"\n", ""),
    // local.toml: names
    l("unknown-clip-near", "\"nhac-hieu\", \"ban-tin\"", "\"nhac-hieu\", \"bantin\""),
    l("unknown-clip-far", "\"nhac-hieu\", \"ban-tin\"", "\"nhac-hieu\", \"thoi-tiet\""),
    l("unknown-rotation", "{ rotation = \"luan-phien\" }", "{ rotation = \"cds\" }"),
    l("unknown-source", "\"tinh/cd1\", days", "\"tihn/cd1\", days"),
    l("unknown-clip-above", "\"tinh/cd1\", days", "\"tinh/cd2\", days"),
    l("unknown-campaign-above", "tinh/cds-2022", "tinh/cds-2023"),
    l("unknown-topic-above", "topic = \"CD1\"", "topic = \"CD9\""),
    l("topic-alone", "campaign = \"tinh/cds-2022\"\n", ""),
    l("duplicate-slot", "id = \"chieu\"", "id = \"sang\""),
    l("duplicate-clip", "id = \"ban-tin\"", "id = \"nhac-hieu\""),
    l("special-day-unknown-slot", "skip = [\"tiep-song-tinh\"]", "skip = [\"tiep-song\"]"),
    l("source-key", "[[clips]]\nid = \"nhac-hieu\"", "source = \"xa\"\n\n[[clips]]\nid = \"nhac-hieu\""),
    l("other-station", "id = \"chieu\"", "id = \"chieu\"\nstations = [\"xa-khac\"]"),
    // local.toml: clips
    l("not-approved", "approved_by = \"Trần Thị B\"\napproved_at = \"2022-09-30\"\n", ""),
    l("approved-without-date", "approved_at = \"2022-09-30\"\n", ""),
    l("kind-with-marks", "kind = \"ban_tin\"", "kind = \"Bản tin\""),
    l("kind-unknown", "kind = \"ban_tin\"", "kind = \"quảng cáo\""),
    l("kind-missing", "kind = \"ban_tin\"\n", ""),
    l("file-windows-path", "file = \"ban-tin.mp3\"", "file = 'C:\\loa\\ban-tin.mp3'"),
    l("file-way-up", "file = \"ban-tin.mp3\"", "file = \"../ban-tin.mp3\""),
    l("file-missing-key", "file = \"ban-tin.mp3\"\n", ""),
    l("title-empty", "title = \"Bản tin xã\"", "title = \"\""),
    l("priority-with-marks", "priority = \"normal\"", "priority = \"Khẩn cấp\""),
    l("clip-id-with-dots", "id = \"nhac-hieu\"", "id = \"..\""),
    // local.toml: slots
    l("slot-in-quiet-hours", "at = \"05:30\"", "at = \"03:15\""),
    l("relay-in-quiet-hours", "at = \"06:00\"", "at = \"03:15\""),
    l("relay-into-quiet-hours", "at = \"06:00\"", "at = \"20:50\""),
    l("one-bracket-slots", "[[special_days]]", "[special_days]"),
    l("items-empty", SANG_ITEMS, "items = []"),
    l("items-missing", "items = [\"nhac-hieu\", { rotation = \"luan-phien\" }]\n", ""),
    l("items-no-comma", "\"nhac-hieu\", \"ban-tin\"", "\"nhac-hieu\" \"ban-tin\""),
    l("items-not-closed", "days = \"T2\" }]", "days = \"T2\" }"),
    l("item-not-closed", "days = \"T2\" }]", "days = \"T2\"]"),
    l("item-names-two", "{ offers = \"priority\" }", "{ offers = \"priority\", clip = \"ban-tin\" }"),
    l("item-names-nothing", "{ offers = \"priority\" }", "{ days = \"T2\" }"),
    l("item-unknown-key", "{ offers = \"priority\" }", "{ offres = \"priority\" }"),
    l("item-number", "{ offers = \"priority\" }", "5"),
    l("late-number", "late = \"2m\"", "late = 90"),
    l("length-of-session", "late = \"2m\"", "length = \"15m\""),
    l("relay-with-items", "length = \"15m\"", "length = \"15m\"\nitems = [\"nhac-hieu\"]"),
    l("relay-without-length", "length = \"15m\"\n", ""),
    l("relay-with-priority", "length = \"15m\"", "length = \"15m\"\npriority = \"uu_tien\""),
    l("rotation-without-from", "from = \"2022-10-01\"\n\n[[slots]]", "\n[[slots]]"),
    l("gain-sum", "late = \"2m\"", "late = \"2m\"\ngain_db = -25.0"),
    l("gain-over-zero", "late = \"2m\"", "late = \"2m\"\ngain_db = 9.0"),
    l("key-at-the-wrong-end", "repeat = 3", "repeat = 3\ngroups = { \"a\" = [\"b\"] }"),
    // local.toml: the rest
    l("emergency-without-offset", "2022-10-08T17:06:00+07:00", "2022-10-08T17:06"),
    l("emergency-until-before-from", "2022-10-08T20:00:00+07:00", "2022-10-08T08:00:00+07:00"),
    l("emergency-repeat-none", "repeat = 3", "repeat = 0"),
    l("withdrawal-of-nothing", "[[special_days]]", "[[withdrawals]]\nby = \"A\"\n\n[[special_days]]"),
    l("withdrawal-unknown", "[[special_days]]", "[[withdrawals]]\nclip = \"tinh/cd3\"\n\n[[special_days]]"),
    l("offer-without-place", ", { offers = \"priority\" }", ""),
    // playlist.toml of the province
    p("source-missing", "source = \"tinh\"\n", ""),
    p("source-other", "source = \"tinh\"", "source = \"huyen\""),
    p("serial-by-hand", "source = \"tinh\"", "source = \"tinh\"\nserial = 3"),
    p("offer-in-offer", "items = [\"cd1\"]", "items = [\"cd1\", { offer = \"cds\" }]"),
    p("offer-normal", "priority = \"priority\"", "priority = \"normal\""),
    p("withdraws-others", "[[offers]]", "[[withdrawals]]\nclip = \"local/ban-tin\"\n\n[[offers]]"),
    p("local-from-above", "items = [\"cd1\"]", "items = [\"local/ban-tin\"]"),
    p("topic-unknown", "topic = \"CD1\"", "topic = \"CD2\""),
    p("slot-in-quiet-hours", "[[offers]]", "[[slots]]\nid = \"dem\"\nat = \"03:15\"\nitems = [\"cd1\"]\n\n[[offers]]"),
];

/// Everything found in the three files, as people read it.
fn findings(station: &[u8], local: &[u8], province: &[u8], language: Language) -> String {
    let config = read_config(station, false);
    let own = read_list(local, Form::Local);
    let list = read_list(province, Form::Handwritten);
    let with = |role, findings: &[Finding]| findings.iter().map(|f| (role, f.clone())).collect::<Vec<_>>();
    let mut all = with(FileRole::Station, &config.findings);
    all.extend(with(FileRole::Local, &own.findings));
    all.extend(with(FileRole::Source(0), &list.findings));
    if let Some(config) = &config.value {
        let sources: Vec<_> = list.value.iter().map(|l| (0, l)).collect();
        let today = "2022-10-01".parse().expect("a date");
        all.extend(check_station(config, own.value.as_ref(), &sources, today));
    }
    all.sort_by_key(|(role, f)| (*role, f.span.start, f.severity));
    let mut shown = String::new();
    for (role, finding) in &all {
        let (name, bytes) = match role {
            FileRole::Station => ("station.toml", station),
            FileRole::Local => ("local.toml", local),
            FileRole::Source(_) => ("playlist.toml", province),
        };
        let _ = writeln!(shown, "{}", finding.render(name, &document::shown(bytes), language));
    }
    shown
}

fn both(station: &[u8], local: &[u8], province: &[u8]) -> String {
    let vi = findings(station, local, province, Language::Vi);
    let en = findings(station, local, province, Language::En);
    format!("{vi}\n{en}")
}

fn golden(name: &str, got: &str) -> Result<(), String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/check").join(format!("{name}.txt"));
    if std::env::var_os("LOAXA_BLESS").is_some() {
        std::fs::write(&path, got).map_err(|e| e.to_string())?;
        return Ok(());
    }
    let wanted = std::fs::read_to_string(&path).map_err(|e| format!("{name}: {e}"))?;
    if wanted == got { Ok(()) } else { Err(format!("{name}:\n--- wanted\n{wanted}\n--- got\n{got}")) }
}

#[test]
fn the_files_without_a_mistake_have_no_findings() {
    assert_eq!(findings(STATION.as_bytes(), LOCAL.as_bytes(), PROVINCE.as_bytes(), Language::En), "");
}

#[test]
fn every_mistake_is_found_where_it_stands() {
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let mut files = [STATION.to_owned(), LOCAL.to_owned(), PROVINCE.to_owned()];
        let (index, prefix) = match mistake.file {
            's' => (0, "station"),
            'l' => (1, "local"),
            _ => (2, "playlist"),
        };
        assert!(files[index].contains(mistake.find), "{}: nothing to replace", mistake.name);
        files[index] = files[index].replacen(mistake.find, mistake.write, 1);
        let got = both(files[0].as_bytes(), files[1].as_bytes(), files[2].as_bytes());
        assert!(got.trim().len() > 20, "{}: nothing found", mistake.name);
        wrong.extend(golden(&format!("{prefix}-{}", mistake.name), &got).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bytes_of_other_encodings_are_named() {
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(STATION.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    golden("station-utf16", &both(&utf16, LOCAL.as_bytes(), PROVINCE.as_bytes())).unwrap();
    let name = STATION.find("Đài").unwrap();
    let mut tcvn3 = STATION.as_bytes()[..name].to_vec();
    tcvn3.extend(b"\xa7\xb5i B\xd7nh Minh\"\n");
    golden("station-tcvn3", &both(&tcvn3, LOCAL.as_bytes(), PROVINCE.as_bytes())).unwrap();
}

#[test]
fn what_notepad_does_to_a_file_changes_nothing() {
    let notepad = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n").replace(" = ", "\t=\t"));
    let (station, local) = (notepad(STATION), notepad(LOCAL));
    assert_eq!(findings(station.as_bytes(), local.as_bytes(), PROVINCE.as_bytes(), Language::Vi), "");
    let local = local.replace("at\t=\t\"05:30\"", "at\t=\t\"25:30\"");
    let found = findings(station.as_bytes(), local.as_bytes(), PROVINCE.as_bytes(), Language::En);
    assert!(found.starts_with("local.toml:27:6: error: there is no time \"25:30\""), "{found}");
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let state = folder.0.path().join("state");
        folder.write("station.toml", &STATION.replace("/var/lib/loaxa", state.to_str().unwrap()));
        folder.write("local.toml", LOCAL);
        folder.write("clips/ban-tin.mp3", "x");
        // As an archive from a Mac unpacks it: marks apart from their letters.
        folder.write("clips/nha\u{323}c hie\u{323}\u{302}u.mp3", "x");
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn edit(&self, name: &str, find: &str, write: &str) {
        let text = std::fs::read_to_string(self.path().join(name)).unwrap();
        assert!(text.contains(find));
        self.write(name, &text.replacen(find, write, 1));
    }

    /// Exit code and stdout of `loaxa check`.
    fn check(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loaxa"));
        command.args(["check", "--config", "station.toml"]).args(arguments).current_dir(self.path());
        command.env_remove("LANG").env_remove("LC_MESSAGES").env_remove("LOAXA_TRIAL").env_remove("LOAXA_CONFIG");
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn a_good_station_may_run() {
    let folder = Folder::new();
    assert_eq!(folder.check(&[]), (0, "Không có lỗi (2 tệp)\n".into(), String::new()));
    assert_eq!(folder.check(&["--lang", "en"]).1, "No mistakes (2 files)\n");
    folder.edit("station.toml", "clusters = 12", "clusters = 12\nlanguage = \"en\"");
    assert_eq!(folder.check(&[]).1, "No mistakes (2 files)\n");
    assert_eq!(folder.check(&["--lang", "vi"]).1, "Không có lỗi (2 tệp)\n");
}

#[test]
fn a_station_with_mistakes_may_not_run_and_all_are_told_at_once() {
    let folder = Folder::new();
    folder.edit("station.toml", "clusters", "cluster");
    folder.edit("local.toml", "at = \"05:30\"", "at = \"25:00\"");
    std::fs::remove_file(folder.path().join("clips/ban-tin.mp3")).unwrap();
    let (code, out, _) = folder.check(&[]);
    assert_eq!(code, 78);
    assert!(out.contains("station.toml:6:1: lỗi: không có khóa \"cluster\" trong [station]"), "{out}");
    assert!(out.contains("local.toml:27:6: lỗi: không có giờ \"25:00\""), "{out}");
    assert!(out.ends_with("2 lỗi, 0 cảnh báo, 0 lời khuyên: chưa chạy được, hãy sửa các lỗi\n"), "{out}");
}

#[test]
fn audio_that_is_not_there_is_a_warning() {
    let folder = Folder::new();
    folder.edit("local.toml", "ban-tin.mp3", "bantin.mp3");
    let (code, out, _) = folder.check(&[]);
    assert_eq!(code, 0);
    assert!(out.contains("local.toml:10:8: cảnh báo: không thấy tệp \"bantin.mp3\""), "{out}");
    assert!(out.contains("file = \"ban-tin.mp3\""), "{out}");
}

#[test]
fn a_store_that_cannot_be_read_never_keeps_the_station_from_running() {
    let folder = Folder::new();
    folder.write("state/playlists/tinh.accepted", "{\"serial\": 1}");
    folder.write("state/playlists/tinh.1-00.json", "{\"format\": 1}");
    let (code, out, _) = folder.check(&["--json"]);
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["may_run"], true);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    std::fs::remove_file(folder.path().join("local.toml")).unwrap();
    let (code, out, _) = folder.check(&[]);
    assert_eq!(code, 78);
    assert!(out.contains("station.toml:22:12: lỗi: không đọc được danh sách của xã"), "{out}");
    std::fs::remove_file(folder.path().join("station.toml")).unwrap();
    let (code, out, err) = folder.check(&["--lang", "en"]);
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(err.contains("cannot read the file \"station.toml\": there is no such file"), "{err}");
}

#[test]
fn a_wrong_word_on_the_command_line_is_a_usage_error() {
    let folder = Folder::new();
    assert_eq!(folder.check(&["--jason"]).0, 64);
    assert_eq!(folder.check(&["--lang", "fr"]).0, 64);
    assert_eq!(folder.check(&["--help"]).0, 0);
}
