//! Reports, exports for people and quotas over the demo campaign: every total against the rows that are listed.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use assert_cmd::Command;
use loaxa::domain::airing::{Airing, Entry, EventKind, EventRow, Outcome, Reason, Stamp, Write, hex, seal, unhex32};
use loaxa::domain::config::{Config, read_config};
use loaxa::domain::playlist::{Form, List, read_list};
use loaxa::domain::quota;
use loaxa::domain::report::campaign::{self, CampaignFacts};
use loaxa::domain::report::diary::{self, Week};
use loaxa::domain::report::gather::{Gathered, Gatherer, Proof, Trouble};
use loaxa::domain::report::paper::{Block, Cell, Letterhead, Look, Paper, TRIAL_MARK, Table};
use loaxa::domain::report::period::{self, Period, PeriodKind};
use loaxa::domain::report::{Summary, docx, html};
use loaxa::domain::schedule::{InForce, Programme};
use loaxa::domain::simulate::{Incident, Rehearsal, rehearse};
use loaxa::domain::stage::Absence;
use loaxa::domain::time::{Clock, ClockState, Now, Wall, Zone};
use loaxa::edge::airing_log::{AiringLog, FILE_NAME, Identity};
use loaxa::edge::workbook::paper_book;

const CAMPAIGN: &str = "tinh/cds-2022";

fn wall(text: &str) -> Wall {
    Wall::parse_rfc3339(text).unwrap()
}

fn golden(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn span() -> (Wall, Wall) {
    (wall("2022-10-01T00:00:00+07:00"), wall("2022-10-11T00:00:00+07:00"))
}

fn lists(edit: impl Fn(String) -> String) -> Vec<InForce> {
    let local: List = read_list(edit(golden("local.toml")).as_bytes(), Form::Local).value.unwrap();
    let province: List = read_list(golden("province.toml").as_bytes(), Form::Handwritten).value.unwrap();
    vec![
        InForce { source: "local".into(), list: Arc::new(local), since: span().0 },
        InForce { source: "tinh".into(), list: Arc::new(province), since: span().0 },
    ]
}

fn programme(lists: &[InForce]) -> Arc<Programme> {
    let config: Config = read_config(golden("station.toml").as_bytes(), true).value.unwrap();
    Arc::new(Programme::new(Arc::new(config), lists).unwrap())
}

fn facts() -> CampaignFacts {
    quota::campaigns(&lists(|t| t)).into_iter().find(|f| f.id == CAMPAIGN).unwrap()
}

fn power_cut() -> (Wall, Incident) {
    (wall("2022-10-05T05:37:00+07:00"), Incident::Away(Absence::PowerOff, wall("2022-10-05T05:50:00+07:00")))
}

/// The rows a box would have in its log.
fn entries(incidents: Vec<(Wall, Incident)>, device: &str, output: &str) -> Vec<(Entry, Wall)> {
    let (from, to) = span();
    let rehearsal = Rehearsal { from, to, incidents, clock: ClockState::Synced };
    let rows = rehearse(programme(&lists(|t| t)), &rehearsal).0;
    let made = rows.into_iter().map(|row| {
        let entry = match row.entry {
            Entry::Airing(airing) => Entry::Airing(Box::new(Airing {
                output: output.into(),
                device_id: device.into(),
                start_error_ms: None,
                ..*airing
            })),
            other => other,
        };
        (entry, row.recorded_at)
    });
    made.collect()
}

/// Rows as an export holds them: numbered, chained, with a last line.
fn export(entries: &[(Entry, Wall)], device: &str, log_id: &str) -> (Vec<String>, Summary) {
    let mut prev_hash = [0; 32];
    let mut lines = Vec::new();
    for (i, (entry, recorded_at)) in entries.iter().enumerate() {
        let stamp = Stamp {
            seq: i as u64 + 1,
            station_id: "xa-binh-minh".into(),
            device_id: device.into(),
            log_id: log_id.into(),
            boot_id: "b".into(),
            recorded_at: *recorded_at,
            prev_hash,
        };
        let row = seal(entry, &stamp, Zone::default());
        prev_hash = unhex32(row["hash"].as_str().unwrap()).unwrap();
        lines.push(serde_json::Value::Object(row).to_string());
    }
    let summary = Summary {
        row_type: "summary".into(),
        count: lines.len() as u64,
        first_seq: Some(1),
        last_seq: Some(lines.len() as u64),
        head: Some(hex(&prev_hash)),
        made_at: "2022-11-01T08:00:00.000+07:00".into(),
        log_id: log_id.into(),
        open_sessions: Vec::new(),
        hash: String::new(),
    };
    (lines, summary)
}

fn feed(gatherer: &mut Gatherer, file: &str, lines: &[String], summary: Option<&Summary>) {
    let mut feed = gatherer.begin(file, summary.is_some());
    lines.iter().for_each(|line| gatherer.take(&mut feed, line));
    gatherer.end(feed, summary.map(|s| (s, true)));
}

fn now() -> Wall {
    wall("2022-11-01T08:00:00+07:00")
}

fn gathered(entries: &[(Entry, Wall)], trial: bool) -> Gathered {
    let (lines, summary) = export(entries, "bm-01", "log-1");
    let mut gatherer = Gatherer::new(trial, Some("xa-binh-minh"));
    feed(&mut gatherer, "bm-01.jsonl", &lines, Some(&summary));
    gatherer.finish(&["bm-01".into()], Some(span()), now())
}

fn head(trial: bool) -> Letterhead {
    Letterhead::of("Đài Truyền thanh xã Bình Minh (ví dụ)", Zone::default(), now(), trial)
}

fn table<'a>(paper: &'a Paper, sheet: &str) -> &'a Table {
    paper.tables().find(|t| t.sheet == sheet).unwrap_or_else(|| panic!("no table {sheet}"))
}

fn column(table: &Table, name: &str) -> usize {
    table.columns.iter().position(|c| c.head == name).unwrap_or_else(|| panic!("no column {name}"))
}

/// What a listing comes to: airings that were whole, and how long they sounded.
fn recount(listing: &Table) -> (u64, i64) {
    let (outcome, played) = (column(listing, "Kết quả, lý do"), column(listing, "Đã phát (giây)"));
    let aired = listing.rows.iter().filter(|r| r.look == Look::Plain && r.cells[outcome].show() == "Đã phát đủ");
    aired.fold((0, 0), |(n, sum), row| match row.cells[played] {
        Cell::Seconds(ms) => (n + 1, sum + ms),
        _ => panic!("an aired row without seconds"),
    })
}

/// The line of totals: each number is the sum of the numbers over it.
fn columns_add_up(table: &Table, numbers: &[&str]) {
    let total = table.rows.iter().find(|r| r.look == Look::Total).unwrap();
    for name in numbers {
        let at = column(table, name);
        let above = table.rows.iter().take_while(|r| r.look == Look::Plain);
        let sum: i64 = above.map(|r| number(&r.cells[at])).sum();
        assert_eq!(sum, number(&total.cells[at]), "{}: {name}", table.name);
    }
}

fn number(cell: &Cell) -> i64 {
    match cell {
        Cell::Count(n) => *n as i64,
        Cell::Seconds(ms) | Cell::Minutes(ms) => *ms,
        _ => 0,
    }
}

fn all_text(paper: &Paper) -> String {
    let said = paper.blocks.iter().filter_map(|b| match b {
        Block::Text(t) | Block::Notice(t) | Block::Section(t) => Some(t.as_str()),
        _ => None,
    });
    said.collect::<Vec<_>>().join("\n")
}

/// For `scripts/office`, which opens them, and for looking at them.
fn keep(name: &str, bytes: &[u8]) {
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), bytes).unwrap();
}

#[test]
fn the_golden_campaign_in_numbers() {
    let gathered = gathered(&entries(Vec::new(), "bm-01", "default"), false);
    assert_eq!(gathered.troubles, []);
    assert_eq!(gathered.logs[0].proof, Proof::Whole);
    let result = campaign::result(&head(false), facts(), &gathered.lines);
    assert_eq!((result.tally.aired, result.tally.aired_ms, result.sessions), (44, 5_940_000, 20));
    assert_eq!((result.days_aired, result.days, result.days_reached, result.quota), (10, 10, Some(10), Some(20)));
    let by_topic: Vec<_> = result.by_topic.iter().map(|(t, tally)| (t.as_deref(), tally.aired)).collect();
    assert_eq!(by_topic, [(Some("tinh/CD1"), 8), (Some("tinh/CD2"), 8), (Some("tinh/CD3"), 8), (None, 20)]);
    let paper = campaign::paper(head(false), &gathered, facts());
    assert_eq!(recount(table(&paper, "Phụ lục I")), (44, 5_940_000));
    let numbers = ["Số bản tin", "Số lượt phát", "Thời lượng (phút)"];
    columns_add_up(table(&paper, "Theo chủ đề"), &numbers);
    columns_add_up(table(&paper, "Theo ngày"), &["Số buổi phát", "Số lượt phát", "Thời lượng (phút)", "Chỉ tiêu"]);
    let text = all_text(&paper);
    assert!(text.contains("Đã phát đủ 44 lượt trong 20 buổi phát của 10 ngày, tổng thời lượng 99 phút (5.940 giây)."));
    assert!(text.contains("Chỉ tiêu của đợt là 20 lượt, đạt 220 %; số ngày đạt chỉ tiêu: 10/10 ngày."), "{text}");
    assert!(text.contains("văn bản số 647/TTCS-TQ ngày 28/09/2022"));
    assert!(text.contains("Số lượt phát được liệt kê: 44."));
    assert!(text.contains(gathered.logs[0].head.as_deref().unwrap()), "the chain's head is named");
    keep("campaign.html", html::page(&paper).as_bytes());
    keep("campaign.docx", &docx::file(&paper).unwrap());
    keep("campaign.xlsx", &paper_book(&paper).unwrap());
}

#[test]
fn a_power_cut_is_told_apart_and_counts_for_nothing() {
    let gathered = gathered(&entries(vec![power_cut()], "bm-01", "default"), false);
    let result = campaign::result(&head(false), facts(), &gathered.lines);
    let tally = result.tally;
    assert_eq!((tally.aired, tally.aired_ms), (42, 5_685_000));
    assert_eq!((tally.partial, tally.missed, tally.cut_ms), (1, 1, 85_000));
    assert_eq!((tally.aired_ms + tally.cut_ms, result.days_reached), (5_770_000, Some(10)));
    let paper = campaign::paper(head(false), &gathered, facts());
    assert_eq!(recount(table(&paper, "Phụ lục I")), (42, 5_685_000));
    let failures = table(&paper, "Không trọn vẹn");
    let shown: Vec<Vec<String>> = failures.rows.iter().map(|r| r.cells.iter().map(Cell::show).collect()).collect();
    assert_eq!(
        shown,
        [
            [
                "05/10/2022",
                "05:35:35",
                "Biểu dương điển hình",
                "Phát dở (do sự cố): Thiết bị tắt nguồn",
                "ít nhất 85 giây",
                "bm-01"
            ],
            ["05/10/2022", "05:39:05", "Thông điệp 10/10", "Không phát được: Thiết bị tắt nguồn", "-", "bm-01"],
        ]
    );
    let topics = table(&paper, "Theo chủ đề");
    let notes: Vec<String> = topics.rows.iter().map(|r| r.cells[column(topics, "Ghi chú")].show()).collect();
    assert_eq!(notes[2], "1 lượt phát dở (do sự cố): thiết bị tắt nguồn");
    assert_eq!(notes[3], "1 lượt không phát được: thiết bị tắt nguồn");
    let text = all_text(&paper);
    assert!(text.contains("Không tính vào kết quả: 1 lượt phát dở do sự cố, 1 lượt không phát."), "{text}");
    assert!(text.contains("ít nhất 85 giây (cộng cả các lượt phát đủ: 5.770 giây)"), "{text}");
    keep("campaign-cut.html", html::page(&paper).as_bytes());
}

#[test]
fn what_made_no_sound_counts_only_in_a_trial_that_says_so() {
    for output in ["simulation", "null", "wav:/tmp/x.wav"] {
        let rows = entries(Vec::new(), "bm-01", output);
        let real = gathered(&rows, false);
        assert_eq!((real.lines.len(), real.not_counted > 44), (0, true));
        let result = campaign::result(&head(false), facts(), &real.lines);
        assert_eq!((result.tally.aired, result.days_reached), (0, Some(0)));
        let trial = gathered(&rows, true);
        let paper = campaign::paper(head(true), &trial, facts());
        assert_eq!(recount(table(&paper, "Phụ lục I")), (44, 5_940_000));
        let page = html::page(&paper);
        assert!(page.contains(&format!("<div class=\"trial\"><span>{TRIAL_MARK}</span></div>")));
        let parts = unzip(&docx::file(&paper).unwrap());
        let marked = parts.iter().filter(|(name, text)| name.contains("header") && text.contains(TRIAL_MARK));
        assert_eq!(marked.count(), 2, "the first page and the others");
        keep("campaign-trial.html", page.as_bytes());
        keep("campaign-trial.docx", &docx::file(&paper).unwrap());
    }
}

#[test]
fn an_airing_of_two_boxes_counts_once_and_files_are_proved() {
    let (one, one_end) = export(&entries(vec![power_cut()], "bm-01", "default"), "bm-01", "log-1");
    let (two, two_end) = export(&entries(Vec::new(), "bm-02", "default"), "bm-02", "log-2");
    let mut gatherer = Gatherer::new(false, Some("xa-binh-minh"));
    feed(&mut gatherer, "a.jsonl", &one, Some(&one_end));
    // The same file twice: rows are dropped, because log_id, seq and hash agree.
    feed(&mut gatherer, "a-copy.jsonl", &one, Some(&one_end));
    feed(&mut gatherer, "b.jsonl", &two, Some(&two_end));
    let gathered = gatherer.finish(&["bm-01".into(), "bm-02".into(), "bm-03".into()], Some(span()), now());
    assert_eq!(gathered.dropped, one.len() as u64);
    // The files end on the 10th; three weeks later nobody knows what came after.
    assert_eq!(gathered.troubles, [Trouble::Missing { device_id: "bm-03".into() }]);
    let result = campaign::result(&head(false), facts(), &gathered.lines);
    assert_eq!((result.tally.aired, result.tally.aired_ms, result.tally.not_begun()), (44, 5_940_000, 0));
    let paper = campaign::paper(head(false), &gathered, facts());
    assert_eq!(recount(table(&paper, "Phụ lục I")), (44, 5_940_000));
    let devices = table(&paper, "Theo thiết bị");
    let aired: Vec<_> = devices.rows.iter().map(|r| (r.cells[0].show(), r.cells[1].show())).collect();
    assert_eq!(aired, [("bm-01".to_owned(), "42".to_owned()), ("bm-02".to_owned(), "44".to_owned())]);
    let listed = table(&paper, "Phụ lục II");
    assert_eq!(listed.rows.len(), 88);
    assert_eq!(recount(listed).0, 86);
    assert!(all_text(&paper).contains("chưa có nhật ký của thiết bị bm-03"));
}

#[test]
fn changed_missing_and_contradicting_rows_are_reported_and_do_not_count() {
    let rows = entries(Vec::new(), "bm-01", "default");
    let (lines, end) = export(&rows, "bm-01", "log-1");
    let gather = |files: &[(&[String], Option<&Summary>)]| {
        let mut gatherer = Gatherer::new(false, Some("xa-binh-minh"));
        files.iter().for_each(|(lines, end)| feed(&mut gatherer, "a.jsonl", lines, *end));
        gatherer.finish(&[], Some(span()), now())
    };
    // A row in which somebody made one airing of another.
    let at = lines.iter().position(|l| l.contains("\"outcome\":\"aired\"") && l.contains("cds-2022")).unwrap();
    let mut changed = lines.clone();
    changed[at] = changed[at].replace("\"played_ms\":", "\"played_ms\":1");
    let found = gather(&[(&changed, Some(&end))]);
    assert!(
        matches!(&found.troubles[..], [Trouble::Broken { findings: 1, first: Some(n), .. }] if *n == at as u64 + 1),
        "{:?}",
        found.troubles
    );
    assert_eq!(found.lines.len(), gather(&[(&lines, Some(&end))]).lines.len() - 1);
    // A tail that was cut off.
    let found = gather(&[(&lines[..lines.len() - 3], Some(&end))]);
    assert!(matches!(found.troubles[0], Trouble::Broken { .. }));
    // Two histories of one log: the rows that differ count in neither.
    let mut other = rows.clone();
    let last = other.len() - 1;
    other[last].1 = other[last].1 + 1;
    let (other_lines, other_end) = export(&other, "bm-01", "log-1");
    let found = gather(&[(&lines, Some(&end)), (&other_lines, Some(&other_end))]);
    let conflict = Trouble::Conflict { device_id: "bm-01".into(), seq: last as u64 + 1 };
    assert!(found.troubles.contains(&conflict), "{:?}", found.troubles);
    assert!(!found.lines.iter().any(|l| l.seq == last as u64 + 1));
    // A month is missing between two files.
    let half = |a: usize, b: usize| -> (Vec<String>, Summary) {
        let head =
            serde_json::from_str::<serde_json::Value>(&lines[b - 1]).unwrap()["hash"].as_str().unwrap().to_owned();
        let summary = Summary {
            count: (b - a) as u64,
            first_seq: Some(a as u64 + 1),
            last_seq: Some(b as u64),
            head: Some(head),
            // Plans at the edge of a part have their outcomes in the next.
            open_sessions: rows.iter().filter_map(|(e, _)| open_key(e)).collect(),
            ..end.clone()
        };
        (lines[a..b].to_vec(), summary)
    };
    let ((a, a_end), (b, b_end)) = (half(0, 60), half(100, lines.len()));
    let found = gather(&[(&a, Some(&a_end)), (&b, Some(&b_end))]);
    let hole = Trouble::Hole { device_id: "bm-01".into(), from: 61, to: 100 };
    assert!(found.troubles.contains(&hole), "{:?}", found.troubles);
    // Another station's file.
    let mut gatherer = Gatherer::new(false, Some("xa-khac"));
    feed(&mut gatherer, "a.jsonl", &lines, Some(&end));
    let found = gatherer.finish(&[], None, now());
    assert_eq!(found.lines, []);
    assert!(matches!(&found.troubles[0], Trouble::OtherStation { station_id, .. } if station_id == "xa-binh-minh"));
    // A box whose file ends in the middle of the campaign.
    let mut gatherer = Gatherer::new(false, None);
    feed(&mut gatherer, "a.jsonl", &a, Some(&a_end));
    let found = gatherer.finish(&[], Some(span()), now());
    assert!(
        found.troubles.iter().any(|t| matches!(t, Trouble::Short { to, .. } if *to == span().1)),
        "{:?}",
        found.troubles
    );
}

fn open_key(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Session(s) => s.items.first().and_then(|i| i.airing_id.rsplit_once('/')).map(|(s, _)| s.to_owned()),
        _ => None,
    }
}

#[test]
fn a_period_adds_up_by_kind_source_and_day() {
    let gathered = gathered(&entries(vec![power_cut()], "bm-01", "default"), false);
    let month = Period::ending(PeriodKind::Month, "2022-10-01".parse().unwrap(), false).unwrap();
    let paper = period::paper(head(false), &gathered, &month, true);
    let tallies = ["Số lượt phát đủ", "Thời lượng (phút)", "Phát dở, bị ngắt", "Không phát"];
    for sheet in ["Theo loại bài", "Theo đơn vị gửi", "Theo ngày"] {
        columns_add_up(table(&paper, sheet), &tallies);
    }
    let listed = recount(table(&paper, "Phụ lục I"));
    let days = table(&paper, "Theo ngày");
    assert_eq!(days.rows.len(), 31, "15/09 to 14/10 and the line of totals");
    let total = days.rows.last().unwrap();
    assert_eq!((number(&total.cells[2]) as u64, number(&total.cells[3])), listed);
    let result = period::result(&head(false), &month, &gathered.lines);
    assert_eq!((result.tally.aired, result.tally.aired_ms), listed);
    let by_kind: u64 = result.by_kind.iter().map(|(_, t)| t.aired).sum();
    let by_source: u64 = result.by_source.values().map(|t| t.aired).sum();
    assert_eq!((by_kind, by_source), (listed.0, listed.0));
    // The month after begins on the 15th: nothing of it.
    let next = Period::ending(PeriodKind::Month, "2022-11-01".parse().unwrap(), false).unwrap();
    assert_eq!(period::result(&head(false), &next, &gathered.lines).tally.aired, 0);
    keep("period.html", html::page(&paper).as_bytes());
    keep("period.docx", &docx::file(&paper).unwrap());
}

fn happened(kind: EventKind, at: &str, by: Option<&str>, detail: serde_json::Value) -> (Entry, Wall) {
    let (at, detail) = (wall(at), detail.as_object().cloned().unwrap());
    (Entry::Event(EventRow { event: kind, at, by: by.map(str::to_owned), detail }), at)
}

#[test]
fn the_diary_tells_each_day_with_lists_absences_and_notes() {
    use serde_json::json;
    let mut rows = entries(vec![power_cut()], "bm-01", "default");
    rows.extend([
        happened(EventKind::Start, "2022-10-05T05:50:00+07:00", None, json!({})),
        happened(EventKind::ListInForce, "2022-10-04T14:05:00+07:00", None, json!({"source": "tinh", "serial": 12})),
        happened(
            EventKind::Note,
            "2022-10-05T08:00:00+07:00",
            Some("Trần Thị B"),
            json!({"text": "<b>mất điện</b> cả xã"}),
        ),
        happened(EventKind::Stop, "2022-10-06T07:00:00+07:00", Some("Nguyễn Văn A"), json!({"why": "đám tang"})),
    ]);
    // As a log has them: by the time of writing, the start before what it writes of the past.
    rows.sort_by_key(|(entry, at)| (*at, !matches!(entry, Entry::Event(_))));
    let gathered = gathered(&rows, false);
    assert_eq!(gathered.away.len(), 1);
    assert_eq!(
        gathered.away[0].from,
        wall("2022-10-05T05:37:00+07:00"),
        "the partial row tells more than the last row"
    );
    let week = Week::parse("2022-W40").unwrap();
    let paper = diary::paper(head(false), &gathered, &week);
    let days: Vec<&Table> = paper.tables().filter(|t| t.sheet.ends_with("-2022")).collect();
    assert_eq!(days.len(), 7);
    for (day, (_, tally)) in days.iter().zip(diary::totals(&head(false), &week, &gathered.lines)) {
        assert_eq!(recount(day), (tally.aired, tally.aired_ms), "{}", day.sheet);
    }
    let across = |t: &Table| -> Vec<String> {
        t.rows.iter().filter(|r| r.look == Look::Across).map(|r| r.cells[0].show()).collect()
    };
    assert!(across(days[1]).contains(&"14:05:00 Danh sách mới của tinh số 12 có hiệu lực".to_owned()));
    let wednesday = across(days[2]);
    assert!(
        wednesday.contains(
            &"Thiết bị bm-01 không hoạt động từ sau 05:37:00 ngày 05/10/2022 đến 05:50:00 ngày 05/10/2022 (mất điện hoặc dừng đột ngột)".to_owned()
        ),
        "{wednesday:#?}"
    );
    assert!(
        wednesday.contains(&"08:00:00 Ghi chú của Trần Thị B (người ghi tự nhập): <b>mất điện</b> cả xã".to_owned())
    );
    assert!(across(days[3]).contains(&"07:00:00 Dừng phát (Nguyễn Văn A): đám tang".to_owned()));
    let page = html::page(&paper);
    assert!(page.contains("SỔ NHẬT KÝ CHƯƠNG TRÌNH PHÁT THANH"));
    assert!(page.contains("Thứ Tư, ngày 05/10/2022") && page.contains("NGƯỜI GHI SỔ"));
    assert!(page.contains("&lt;b&gt;mất điện&lt;/b&gt;") && !page.contains("<b>mất điện"));
    keep("diary.html", page.as_bytes());
    keep("diary.docx", &docx::file(&paper).unwrap());
    keep("diary.xlsx", &paper_book(&paper).unwrap());
}

#[test]
fn a_note_written_while_the_box_is_off_is_no_sign_of_life() {
    use serde_json::json;
    let rows = [
        happened(EventKind::Start, "2022-10-05T05:00:00+07:00", None, json!({})),
        happened(EventKind::Shutdown, "2022-10-05T06:00:00+07:00", None, json!({})),
        happened(EventKind::Note, "2022-10-05T07:00:00+07:00", Some("B"), json!({"text": "sửa loa"})),
        happened(EventKind::Start, "2022-10-05T08:00:00+07:00", None, json!({})),
    ];
    let away = gathered(&rows, false).away;
    assert_eq!(away.len(), 1);
    let known = (away[0].from, away[0].to, away[0].farewell);
    assert_eq!(known, (wall("2022-10-05T06:00:00+07:00"), wall("2022-10-05T08:00:00+07:00"), true));
}

fn unzip(bytes: &[u8]) -> Vec<(String, String)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let parts = (0..archive.len()).map(|i| {
        let mut file = archive.by_index(i).unwrap();
        let mut text = String::new();
        // Reading to the end checks the sum of each part.
        file.read_to_string(&mut text).unwrap();
        (file.name().unwrap().into_owned(), text)
    });
    parts.collect()
}

/// Whether every tag is closed by its own and nothing stands loose.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        for entity in text.split('&').skip(1) {
            let name = entity.split(';').next().unwrap();
            assert!(["amp", "lt", "gt", "quot", "apos"].contains(&name), "&{name}");
        }
        let end = at + rest[at..].find('>').expect("a tag that does not end");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('?') || tag.ends_with('/') {
            continue;
        }
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!xml.chars().any(|c| c < ' ' && !matches!(c, '\t' | '\n' | '\r')));
}

#[test]
fn hostile_titles_stay_text_in_every_form() {
    let hostile = "</w:t><script>alert(\"1\")</script>&amp; =HYPERLINK(\"x\") \u{1}]]>";
    let rows: Vec<_> = entries(Vec::new(), "bm-01", "default")
        .into_iter()
        .map(|(entry, at)| match entry {
            Entry::Airing(airing) => (Entry::Airing(Box::new(Airing { title: Some(hostile.into()), ..*airing })), at),
            other => (other, at),
        })
        .collect();
    let gathered = gathered(&rows, false);
    let facts = CampaignFacts { title: hostile.into(), ..facts() };
    let paper = campaign::paper(head(false), &gathered, facts);
    let page = html::page(&paper);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(&quot;1&quot;)"));
    for bytes in [docx::file(&paper).unwrap(), paper_book(&paper).unwrap()] {
        let parts = unzip(&bytes);
        assert!(parts.iter().any(|(name, _)| name == "[Content_Types].xml"));
        for (name, text) in &parts {
            assert!(!text.contains("<script"), "{name}");
            assert!(!text.contains("<f>"), "{name}: no formula");
            well_formed(text);
        }
    }
    let document = unzip(&docx::file(&paper).unwrap()).into_iter().find(|(n, _)| n == "word/document.xml").unwrap().1;
    assert!(document.contains("Độc lập - Tự do - Hạnh phúc") && document.contains("&lt;/w:t&gt;&lt;script&gt;"));
    // The same rows at the same time make the same bytes.
    assert_eq!(docx::file(&paper).unwrap(), docx::file(&paper).unwrap());
    assert_eq!(paper_book(&paper).unwrap(), paper_book(&paper).unwrap());
}

/// What stands between two marks, each time.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    text.split(begin).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

#[test]
fn charts_show_what_the_table_by_day_says() {
    let gathered = gathered(&entries(vec![power_cut()], "bm-01", "default"), false);
    let paper = campaign::paper(head(false), &gathered, facts());
    let days = table(&paper, "Theo ngày");
    let aired = column(days, "Số lượt phát");
    let plain: Vec<_> = days.rows.iter().filter(|r| r.look == Look::Plain).collect();
    let figures: Vec<String> = plain.iter().map(|r| r.cells[aired].show()).collect();
    assert_eq!((figures.len(), &*figures[4], &*figures[9]), (10, "2", "8"));

    let parts = unzip(&docx::file(&paper).unwrap());
    let part = |parts: &[(String, String)], name: &str| parts.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let chart = part(&parts, "word/charts/chart1.xml");
    let series: Vec<Vec<&str>> =
        between(&chart, "<c:numLit>", "</c:numLit>").into_iter().map(|s| between(s, "<c:v>", "</c:v>")).collect();
    assert_eq!(series, [figures.iter().map(String::as_str).collect(), vec!["2"; 10]], "airings, and the quota");
    let labels = between(&chart, "<c:strLit>", "</c:strLit>");
    assert_eq!(between(labels[0], "<c:v>", "</c:v>")[..2], ["01/10", "02/10"]);
    assert!(chart.contains("Chỉ tiêu: 2 lượt/ngày"));
    assert!(part(&parts, "word/document.xml").contains("r:id=\"rIdChart1\""));
    assert!(part(&parts, "word/_rels/document.xml.rels").contains("Target=\"charts/chart1.xml\""));
    assert!(part(&parts, "[Content_Types].xml").contains("/word/charts/chart1.xml"));

    let parts = unzip(&paper_book(&paper).unwrap());
    let chart = part(&parts, "xl/charts/chart1.xml");
    assert_eq!(between(&chart, "<c:val><c:numRef><c:f>", "<"), ["'Biểu đồ'!$B$3:$B$12", "'Biểu đồ'!$C$3:$C$12"]);
    let last = parts.iter().filter(|(n, _)| n.starts_with("xl/worksheets/sheet")).count();
    let sheet = part(&parts, &format!("xl/worksheets/sheet{last}.xml"));
    let cell =
        |name: String| between(between(&sheet, &format!("<c r=\"{name}\""), "</c>")[0], "<v>", "<")[0].to_owned();
    let shown: Vec<String> = (3..=12).map(|row| cell(format!("B{row}"))).collect();
    assert_eq!(shown, figures);
    assert_eq!(cell("C12".into()), "2");

    // Nothing to draw, nothing hangs on the file.
    let without =
        Paper { blocks: paper.blocks.iter().filter(|b| !matches!(b, Block::Chart(_))).cloned().collect(), ..paper };
    for bytes in [docx::file(&without).unwrap(), paper_book(&without).unwrap()] {
        assert!(unzip(&bytes).iter().all(|(n, _)| !n.contains("chart")));
    }
}

#[test]
fn a_campaign_that_no_list_has_any_more_is_told_from_rows() {
    let gathered = gathered(&entries(Vec::new(), "bm-01", "default"), false);
    let facts = CampaignFacts::of_rows(CAMPAIGN, &gathered.lines, &head(false));
    assert_eq!((facts.doc_number.as_deref(), facts.topics.len()), (Some("647/TTCS-TQ"), 3));
    let result = campaign::result(&head(false), facts.clone(), &gathered.lines);
    assert_eq!((result.tally.aired, result.quota, result.days_reached, result.days), (44, None, None, 10));
    let paper = campaign::paper(head(false), &gathered, facts);
    assert!(paper.notices().any(|n| n.contains("Không còn danh sách nào")));
}

#[test]
fn days_that_cannot_reach_the_quota_are_known_when_the_offer_arrives() {
    let today = "2022-10-01".parse().unwrap();
    let short = |edit: &dyn Fn(String) -> String| {
        let lists = lists(edit);
        let facts = quota::campaigns(&lists);
        quota::short_ahead(&programme(&lists), &facts, today, 400)
    };
    assert_eq!(short(&|t| t), []);
    // Offers in the morning only: one topic and the spot, still two a day.
    let no_afternoon = |t: String| t.replacen("  { offers = \"priority\" },\n", "", 1);
    assert_eq!(short(&no_afternoon), []);
    // No offers on workday mornings either: nothing on Monday to Friday.
    let none = |t: String| no_afternoon(t).replacen("{ offers = \"priority\" }, \"thong-bao\"", "\"thong-bao\"", 1);
    let found = short(&none);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].date.to_string(), found[0].days, found[0].planned, found[0].quota),
        ("2022-10-03".into(), 6, 0, 2)
    );
    // How far it is: planned ahead, aired afterwards.
    let lists = lists(|t| t);
    let facts = facts();
    let planned = quota::planned(&programme(&lists), span().0, span().1);
    let rows = entries(vec![power_cut()], "bm-01", "default");
    let airings = rows.iter().filter_map(|(e, _)| match e {
        Entry::Airing(a) => Some(&**a),
        _ => None,
    });
    let aired = quota::aired(airings, Zone::default());
    let fifth: chrono::NaiveDate = "2022-10-05".parse().unwrap();
    let standing = quota::standing(&facts, &planned, &aired, (fifth, fifth));
    let of: Vec<_> = standing.iter().map(|s| (s.topic.as_deref(), s.aired, s.planned, s.quota)).collect();
    assert_eq!(
        of,
        [
            (None, 2, 4, Some(2)),
            (Some("tinh/CD1"), 1, 1, None),
            (Some("tinh/CD2"), 0, 0, None),
            (Some("tinh/CD3"), 0, 1, None)
        ]
    );
}

// ---- through the program

struct Standing(std::sync::atomic::AtomicI64);

impl Clock for Standing {
    fn now(&self) -> Now {
        let ms = self.0.load(std::sync::atomic::Ordering::Relaxed);
        Now { wall_ns: ms * 1_000_000, boot_ns: 0, clock: ClockState::Synced }
    }
}

/// A station with its log in a folder; a hostile title and a broken-off row among the rows.
fn station(dir: &Path) {
    for name in ["station.toml", "local.toml"] {
        let text = golden(name).replace("[output]", "[state]\ndir = \"state\"\n\n[output]");
        std::fs::write(dir.join(name), text).unwrap();
    }
    std::fs::create_dir_all(dir.join("clips")).unwrap();
    let state = dir.join("state");
    std::fs::create_dir_all(&state).unwrap();
    let identity = Identity {
        station_id: "xa-binh-minh".into(),
        device_id: "bm-01".into(),
        boot_id: "boot-1".into(),
        zone: Zone::default(),
    };
    let clock = Arc::new(Standing(0.into()));
    let mut log = AiringLog::open(&state.join(FILE_NAME), identity, clock.clone()).unwrap();
    for (entry, at) in entries(vec![power_cut()], "bm-01", "default") {
        clock.0.store(at.0, std::sync::atomic::Ordering::Relaxed);
        log.commit(&[Write::Append(entry)]).unwrap();
    }
}

fn loaxa(dir: &Path, args: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let out = Command::cargo_bin("loaxa")
        .unwrap()
        .env("LOAXA_TRIAL", "1")
        .env_remove("LANG")
        .env_remove("LC_MESSAGES")
        .current_dir(dir)
        .arg("--config")
        .arg(dir.join("station.toml"))
        .args(args)
        .output()
        .unwrap();
    (out.status.code(), out.stdout, String::from_utf8(out.stderr).unwrap())
}

#[test]
fn workbooks_and_pages_of_the_log_hold_every_row() {
    let dir = tempfile::tempdir().unwrap();
    station(dir.path());
    let (code, out, err) = loaxa(dir.path(), &["export", "--format", "xlsx", "--campaign", "cds-2022", "-o", "a.xlsx"]);
    assert_eq!((code, out.len()), (Some(0), 0), "{err}");
    let book = std::fs::read(dir.path().join("a.xlsx")).unwrap();
    keep("log.xlsx", &book);
    let parts = unzip(&book);
    let sheet = |n: u32| &parts.iter().find(|(name, _)| *name == format!("xl/worksheets/sheet{n}.xml")).unwrap().1;
    let rows = sheet(1);
    parts.iter().for_each(|(_, text)| well_formed(text));
    assert_eq!(rows.matches("<row ").count(), 45);
    assert!(rows.contains("<autoFilter ref=\"A1:T45\"/>") && rows.contains("state=\"frozen\""));
    // 5 October 2022, 05:35:35: 44839 days and 0.23304... of one.
    assert!(rows.contains("<v>44839</v>") && rows.contains("<v>44839.2330"), "real dates and times");
    assert!(rows.contains("Biểu dương điển hình"));
    let totals: String = parts.iter().map(|(_, text)| text.as_str()).collect();
    assert!(sheet(2).contains("<v>5685</v>") && sheet(2).contains("<v>42</v>") && sheet(2).contains("<v>85</v>"));
    assert!(totals.contains("Tổng hợp") && totals.contains("Nhật ký"));
    // Through a pipe the same, and nothing is left beside the file.
    let (code, piped, _) = loaxa(dir.path(), &["export", "--format", "xlsx", "--campaign", "cds-2022"]);
    let again = unzip(&piped);
    let without_time = |parts: &[(String, String)]| -> Vec<(String, String)> {
        parts.iter().filter(|(name, _)| name != "docProps/core.xml").cloned().collect()
    };
    assert_eq!((code, without_time(&again)), (Some(0), without_time(&parts)));
    let (code, page, _) = loaxa(dir.path(), &["export", "--format", "html"]);
    let page = String::from_utf8(page).unwrap();
    let (_, csv, _) = loaxa(dir.path(), &["export", "--format", "csv"]);
    keep("log.csv", &csv);
    let lines = String::from_utf8(csv).unwrap().lines().count() - 1;
    assert_eq!((code, page.matches("<tr><td>").count()), (Some(0), lines));
    assert!(page.contains("<th>Giờ theo lịch</th>") && page.contains(&format!("Số dòng: {lines}")));
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn reports_and_notes_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    station(dir.path());
    let text = |args: &[&str]| {
        let (code, out, err) = loaxa(dir.path(), args);
        (code, String::from_utf8(out).unwrap(), err)
    };
    let (code, page, err) = text(&["report", "campaign", "cds-2022"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(page.contains("Đã phát đủ 42 lượt") && page.contains("XÃ BÌNH MINH (VÍ DỤ)"), "{page}");
    assert!(err.contains("Không còn danh sách nào"), "{err}");
    let (code, page, _) = text(&["report", "diary", "--week", "2022-W40"]);
    assert_eq!(code, Some(0));
    assert!(page.contains("Tuần 40 năm 2022"));
    let (code, page, _) = text(&["report", "period", "--kind", "month", "--ending", "2022-10", "--body", "XÃ <A>"]);
    assert_eq!(code, Some(0));
    assert!(page.contains("tháng 10 năm 2022") && page.contains("XÃ &lt;A&gt;"));
    for format in ["docx", "xlsx"] {
        let file = format!("b.{format}");
        let (code, _, err) = text(&["report", "campaign", "tinh/cds-2022", "--format", format, "-o", &file]);
        assert_eq!(code, Some(0), "{err}");
        assert!(unzip(&std::fs::read(dir.path().join(&file)).unwrap()).len() > 5);
    }
    // From an exported chain the same numbers, and proof that it is whole.
    let (code, ..) = text(&["export", "--format", "jsonl", "--chain", "-o", "c.jsonl"]);
    assert_eq!(code, Some(0));
    let (code, page, err) = text(&["report", "campaign", "cds-2022", "--from-files", "c.jsonl"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(page.contains("Đã phát đủ 42 lượt") && page.contains("đủ dòng, không bị sửa"), "{err}");
    for (args, code) in [
        (vec!["report", "campaign", "khong-co"], 1),
        (vec!["report", "diary", "--week", "2022-40"], 64),
        (vec!["report", "period", "--kind", "month", "--ending", "10/2022"], 64),
        (vec!["report", "campaign", "cds-2022", "--from-files", "khong-co.jsonl"], 1),
        (vec!["note", "  ", "--by", "A"], 64),
    ] {
        assert_eq!(text(&args).0, Some(code), "{args:?}");
    }
    let (code, out, err) = text(&["note", "loa thôn 3 bị rè =1+1", "--by", "Trần Thị B"]);
    assert_eq!((code, out.as_str()), (Some(0), "Đã ghi vào nhật ký\n"), "{err}");
    let (code, page, _) = text(&["report", "diary"]);
    assert_eq!(code, Some(0));
    assert!(page.contains("Ghi chú của Trần Thị B (người ghi tự nhập): loa thôn 3 bị rè =1+1"), "{page}");
    assert_eq!(text(&["verify"]).0, Some(0));
    // A note is no sign of life: the row before it tells in which boot the box ended.
    let log = AiringLog::open_read_only(&dir.path().join("state").join(FILE_NAME)).unwrap();
    assert_eq!(log.last_row_of_daemon().unwrap().unwrap().boot_id, "boot-1");
    assert_ne!(log.last_row().unwrap().unwrap().boot_id, "boot-1");
}

#[test]
fn outcomes_of_the_rehearsal_are_what_the_report_counts() {
    // Guards the helper above: rows of the rehearsal are legal and none is lost on the way.
    let rows = entries(vec![power_cut()], "bm-01", "default");
    let airings: Vec<_> = rows
        .iter()
        .filter_map(|(e, _)| match e {
            Entry::Airing(a) => Some(a),
            _ => None,
        })
        .collect();
    assert_eq!(gathered(&rows, false).lines.len(), airings.len());
    assert!(airings.iter().any(|a| a.outcome == Outcome::Partial && a.reason == Some(Reason::PowerOff)));
}
