//! `report campaign`: the result of a campaign in the layout of NĐ 30/2020/NĐ-CP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::gather::{Gathered, Line, StationAiring, station_airings};
use super::paper::{
    Align, Block, Cell, Chart, Form, Letterhead, Paper, Table, Tally, boxes, by_device, day, ending, grouped, listing,
    minutes, notices, played, provenance, reasons, seconds,
};
use crate::domain::airing::Outcome;
use crate::domain::playlist::{Campaign, ClipKind};
use crate::domain::time::next_day;

/// A campaign as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignFacts {
    /// `SOURCE/ID`
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Number and sign of the dispatch.
    pub doc_number: Option<String>,
    /// Its date.
    pub doc_date: Option<NaiveDate>,
    /// First day.
    pub from: Option<NaiveDate>,
    /// Last day.
    pub to: Option<NaiveDate>,
    /// The quota a day, all topics together.
    pub min_per_day: Option<u32>,
    /// Topics: `SOURCE/ID`, title, quota a day.
    pub topics: Vec<(String, String, Option<u32>)>,
    /// Whether a list has it; otherwise all is known from rows alone.
    pub listed: bool,
}

impl CampaignFacts {
    /// As a list of a source has it.
    pub fn of_list(source: &str, campaign: &Campaign) -> CampaignFacts {
        let topics = campaign.topics.iter();
        CampaignFacts {
            id: format!("{source}/{}", campaign.id),
            title: campaign.title.clone(),
            doc_number: campaign.doc_number.clone(),
            doc_date: campaign.doc_date,
            from: campaign.from,
            to: campaign.to,
            min_per_day: campaign.min_per_day,
            topics: topics.map(|t| (format!("{source}/{}", t.id), t.title.clone(), t.min_per_day)).collect(),
            listed: true,
        }
    }

    /// As rows tell, where no list has it any more: no quota, the days on which it was planned.
    pub fn of_rows(id: &str, lines: &[Arc<Line>], head: &Letterhead) -> CampaignFacts {
        let ours = || lines.iter().filter(|l| l.campaign_id.as_deref() == Some(id));
        let topics: BTreeSet<_> = ours().filter_map(|l| l.topic_id.clone()).collect();
        CampaignFacts {
            id: id.to_owned(),
            title: id.to_owned(),
            doc_number: ours().find_map(|l| l.doc_number.as_deref().map(str::to_owned)),
            doc_date: None,
            from: ours().map(|l| head.date(l.planned_at)).min(),
            to: ours().map(|l| head.date(l.planned_at)).max(),
            min_per_day: None,
            topics: topics.into_iter().map(|t| (t.to_string(), t.to_string(), None)).collect(),
            listed: false,
        }
    }

    /// Its days.
    pub fn days(&self) -> Vec<NaiveDate> {
        let (Some(from), Some(to)) = (self.from, self.to) else { return Vec::new() };
        let mut days = Vec::new();
        let mut date = from;
        while date <= to && days.len() < 3_660 {
            days.push(date);
            date = next_day(date);
        }
        days
    }
}

/// What a campaign came to.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignResult {
    /// The campaign.
    pub facts: CampaignFacts,
    /// Every airing of it.
    pub airings: Vec<StationAiring>,
    /// All together.
    pub tally: Tally,
    /// Sessions with an airing that counts.
    pub sessions: u64,
    /// Days with an airing that counts.
    pub days_aired: u64,
    /// The campaign's days.
    pub days: u64,
    /// Days on which the quota was reached; none without a quota.
    pub days_reached: Option<u64>,
    /// The quota of all days together.
    pub quota: Option<u64>,
    /// Airings that count, and sessions with one, by day: the campaign's days and any other with a row.
    pub by_day: BTreeMap<NaiveDate, (Tally, u64)>,
    /// By topic, `None` last: clips that belong to no topic.
    pub by_topic: Vec<(Option<String>, Tally)>,
}

/// Sums a campaign up.
pub fn result(head: &Letterhead, facts: CampaignFacts, lines: &[Arc<Line>]) -> CampaignResult {
    let ours: Vec<Arc<Line>> = lines.iter().filter(|l| l.campaign_id.as_deref() == Some(&*facts.id)).cloned().collect();
    let airings = station_airings(&ours);
    let best = || airings.iter().map(|a| &*a.best);
    let tally = Tally::of(best());
    let aired = || best().filter(|l| l.outcome == Outcome::Aired);
    let sessions = aired().filter_map(|l| l.session.as_deref()).collect::<BTreeSet<_>>().len() as u64;
    let days = facts.days();
    let mut by_day: BTreeMap<NaiveDate, (Tally, u64)> = days.iter().map(|d| (*d, Default::default())).collect();
    let mut day_sessions: BTreeSet<(NaiveDate, &str)> = BTreeSet::new();
    for line in best() {
        let date = head.date(line.planned_at);
        let entry = by_day.entry(date).or_default();
        entry.0.add(line);
        if line.outcome == Outcome::Aired
            && let Some(session) = &line.session
            && day_sessions.insert((date, session))
        {
            entry.1 += 1;
        }
    }
    let mut topics: Vec<Option<String>> = facts.topics.iter().map(|(id, ..)| Some(id.clone())).collect();
    for line in best() {
        if !topics.iter().any(|t| t.as_deref() == line.topic_id.as_deref()) {
            topics.push(line.topic_id.as_deref().map(str::to_owned));
        }
    }
    // What belongs to no topic stands last.
    topics.sort_by_key(Option::is_none);
    let by_topic = topics.into_iter().map(|topic| {
        let tally = Tally::of(best().filter(|l| l.topic_id.as_deref() == topic.as_deref()));
        (topic, tally)
    });
    let by_topic = by_topic.collect();
    let reached = |n: u32| days.iter().filter(|d| by_day[d].0.aired >= u64::from(n)).count() as u64;
    CampaignResult {
        tally,
        sessions,
        days_aired: by_day.values().filter(|(t, _)| t.aired > 0).count() as u64,
        days: days.len() as u64,
        days_reached: facts.min_per_day.map(reached),
        quota: facts.min_per_day.map(|n| u64::from(n) * days.len() as u64),
        by_day,
        by_topic,
        facts,
        airings,
    }
}

fn topic_title(facts: &CampaignFacts, topic: Option<&str>) -> String {
    match topic {
        None => "Bài không thuộc chủ đề riêng".into(),
        Some(id) => facts.topics.iter().find(|(t, ..)| t == id).map_or_else(|| id.to_owned(), |(_, t, _)| t.clone()),
    }
}

fn topics_table(result: &CampaignResult) -> Table {
    use Align::{Left, Right};
    let columns = [
        ("TT", 5, Right),
        ("Chủ đề", 36, Left),
        ("Số bản tin", 8, Right),
        ("Số lượt phát", 8, Right),
        ("Thời lượng (phút)", 10, Right),
        ("Chỉ tiêu", 8, Right),
        ("Tỷ lệ", 10, Right),
        ("Ghi chú", 22, Left),
    ];
    let mut table = Table::new("Bảng 1. Kết quả theo chủ đề", "Theo chủ đề", &columns);
    let facts = &result.facts;
    let best = || result.airings.iter().map(|a| &*a.best);
    let clips = |lines: &mut dyn Iterator<Item = &Line>| {
        lines.filter_map(|l| Some((l.source.clone(), l.clip_id.clone()?))).collect::<BTreeSet<_>>().len() as u64
    };
    let quota = |n: Option<u64>, aired: u64| match n {
        Some(n) => [Cell::Count(n), Cell::Share(aired, n)],
        None => [Cell::text("-"), Cell::text("-")],
    };
    for (i, (topic, tally)) in result.by_topic.iter().enumerate() {
        let own = || best().filter(|l| l.topic_id.as_deref() == topic.as_deref());
        let a_day = facts.topics.iter().find(|(t, ..)| Some(t) == topic.as_ref()).and_then(|(.., n)| *n);
        let [due, rate] = quota(a_day.map(|n| u64::from(n) * result.days), tally.aired);
        table.row(vec![
            Cell::Count(i as u64 + 1),
            Cell::text(topic_title(facts, topic.as_deref())),
            Cell::Count(clips(&mut own())),
            Cell::Count(tally.aired),
            Cell::Minutes(tally.aired_ms),
            due,
            rate,
            Cell::text(reasons(own())),
        ]);
    }
    let [due, rate] = quota(result.quota, result.tally.aired);
    table.total(vec![
        Cell::Empty,
        Cell::text("Cộng"),
        Cell::Count(clips(&mut best())),
        Cell::Count(result.tally.aired),
        Cell::Minutes(result.tally.aired_ms),
        due,
        rate,
        Cell::Empty,
    ]);
    table
}

fn days_table(result: &CampaignResult, name: String) -> Table {
    use Align::{Middle, Right};
    let columns = [
        ("Ngày", 14, Middle),
        ("Số buổi phát", 10, Right),
        ("Số lượt phát", 10, Right),
        ("Thời lượng (phút)", 12, Right),
        ("Phát dở, bị ngắt", 10, Right),
        ("Không phát", 10, Right),
        ("Chỉ tiêu", 10, Right),
        ("Đạt chỉ tiêu", 12, Middle),
    ];
    let mut table = Table::new(name, "Theo ngày", &columns);
    let campaign_days = result.facts.days();
    for (date, (tally, sessions)) in &result.by_day {
        let quota = result.facts.min_per_day.filter(|_| campaign_days.contains(date)).map(u64::from);
        table.row(vec![
            Cell::Date(*date),
            Cell::Count(*sessions),
            Cell::Count(tally.aired),
            Cell::Minutes(tally.aired_ms),
            Cell::Count(tally.cut()),
            Cell::Count(tally.not_begun()),
            quota.map_or(Cell::text("-"), Cell::Count),
            Cell::text(quota.map_or("-", |q| if tally.aired >= q { "Đạt" } else { "Chưa đạt" })),
        ]);
    }
    let reached = result.days_reached.map(|n| format!("{n}/{} ngày", result.days));
    table.total(vec![
        Cell::text("Cộng"),
        Cell::Count(result.by_day.values().map(|(_, s)| s).sum()),
        Cell::Count(result.tally.aired),
        Cell::Minutes(result.tally.aired_ms),
        Cell::Count(result.tally.cut()),
        Cell::Count(result.tally.not_begun()),
        result.quota.map_or(Cell::text("-"), Cell::Count),
        reached.map_or(Cell::text("-"), Cell::text),
    ]);
    table
}

fn failures_table(head: &Letterhead, result: &CampaignResult, name: String) -> Table {
    use Align::{Left, Middle};
    let columns = [
        ("Ngày", 14, Middle),
        ("Giờ theo lịch", 12, Middle),
        ("Tiêu đề", 28, Left),
        ("Kết quả, lý do", 28, Left),
        ("Thời gian đã phát", 18, Left),
        ("Thiết bị", 12, Left),
    ];
    let mut table = Table::new(name, "Không trọn vẹn", &columns);
    for airing in result.airings.iter().filter(|a| !matches!(a.best.outcome, Outcome::Aired | Outcome::Relayed)) {
        let line = &airing.best;
        let sounded = match played(line) {
            Cell::Seconds(ms) if line.outcome == Outcome::Partial => format!("ít nhất {} giây", seconds(ms)),
            Cell::Seconds(ms) => format!("{} giây", seconds(ms)),
            _ => "-".into(),
        };
        table.row(vec![
            Cell::Date(head.date(line.planned_at)),
            Cell::Time(head.local(line.planned_at)),
            Cell::text(line.title.clone()),
            Cell::text(ending(line)),
            Cell::text(sounded),
            Cell::text(boxes(airing)),
        ]);
    }
    table
}

fn opening(head: &Letterhead, facts: &CampaignFacts) -> String {
    let mut text = String::new();
    if let Some(number) = &facts.doc_number {
        let dated = facts.doc_date.map_or(String::new(), |d| format!(" ngày {}", day(d)));
        text.push_str(&format!("Thực hiện văn bản số {number}{dated}, "));
    }
    text.push_str(&format!("{} đã phát thanh đợt tuyên truyền \"{}\"", head.station, facts.title));
    if let (Some(from), Some(to)) = (facts.from, facts.to) {
        text.push_str(&format!(" từ ngày {} đến hết ngày {}", day(from), day(to)));
    }
    if let Some(n) = facts.min_per_day {
        text.push_str(&format!("; chỉ tiêu mỗi ngày ít nhất {n} lượt phát"));
    }
    text + "."
}

fn summing_up(result: &CampaignResult) -> String {
    let tally = &result.tally;
    let mut text = format!(
        "Đã phát đủ {} lượt trong {} buổi phát của {} ngày, tổng thời lượng {} phút ({} giây).",
        grouped(tally.aired),
        grouped(result.sessions),
        grouped(result.days_aired),
        minutes(tally.aired_ms),
        seconds(tally.aired_ms)
    );
    if let (Some(reached), Some(quota)) = (result.days_reached, result.quota) {
        let rate = Cell::Share(tally.aired, quota).show();
        text.push_str(&format!(
            " Chỉ tiêu của đợt là {} lượt, đạt {rate}; số ngày đạt chỉ tiêu: {reached}/{} ngày.",
            grouped(quota),
            result.days
        ));
    }
    text
}

/// The report.
pub fn paper(head: Letterhead, gathered: &Gathered, facts: CampaignFacts) -> Paper {
    let result = result(&head, facts, &gathered.lines);
    let mut blocks = notices(&head, gathered);
    if !result.facts.listed {
        blocks.push(Block::Notice(
            "Không còn danh sách nào ghi đợt tuyên truyền này: tên đợt, chủ đề và chỉ tiêu không có, số liệu lấy từ nhật ký."
                .into(),
        ));
    }
    blocks.push(Block::Section("1. Công tác chỉ đạo, tổ chức thực hiện".into()));
    blocks.push(Block::Text(opening(&head, &result.facts)));
    if let Some(to) = result.facts.to.filter(|to| head.date(head.made_at) <= *to) {
        blocks.push(Block::Text(format!(
            "Đợt tuyên truyền kéo dài đến hết ngày {}; số liệu tính đến {}.",
            day(to),
            head.made()
        )));
    }
    blocks.push(Block::Blank("Văn bản chỉ đạo, phân công, tổ chức thực hiện".into()));
    blocks.push(Block::Section("2. Kết quả phát thanh".into()));
    blocks.push(Block::Text(summing_up(&result)));
    blocks.push(Block::Table(topics_table(&result)));
    let mut number = 2;
    let mut next = |what: &str| {
        number += 1;
        format!("Bảng {}. {what}", number - 1)
    };
    let tally = &result.tally;
    if tally.cut() + tally.not_begun() > 0 {
        let mut said = Vec::new();
        if tally.partial > 0 {
            said.push(format!("{} lượt phát dở do sự cố", grouped(tally.partial)));
        }
        if tally.interrupted > 0 {
            said.push(format!("{} lượt bị ngắt giữa chừng", grouped(tally.interrupted)));
        }
        if tally.not_begun() > 0 {
            said.push(format!("{} lượt không phát", grouped(tally.not_begun())));
        }
        let sounded = if tally.cut() > 0 {
            let (cut, all) = (seconds(tally.cut_ms), seconds(tally.aired_ms + tally.cut_ms));
            format!(" Các lượt phát dở, bị ngắt đã phát ít nhất {cut} giây (cộng cả các lượt phát đủ: {all} giây).")
        } else {
            String::new()
        };
        blocks.push(Block::Text(format!("Không tính vào kết quả: {}.{sounded}", said.join(", "))));
        blocks.push(Block::Table(failures_table(&head, &result, next("Các lượt phát không trọn vẹn"))));
    }
    let kinds = ClipKind::ALL.into_iter().filter_map(|kind| {
        let of: Vec<_> = result.airings.iter().filter(|a| a.best.clip_kind == Some(kind)).map(|a| &*a.best).collect();
        let tally = Tally::of(of.iter().copied());
        (tally.aired > 0).then(|| {
            let word = crate::domain::text::clip_kind_words(kind, crate::domain::config::Language::Vi).to_lowercase();
            format!("{word} {} lượt ({} phút)", grouped(tally.aired), minutes(tally.aired_ms))
        })
    });
    let kinds: Vec<_> = kinds.collect();
    if kinds.len() > 1 {
        blocks.push(Block::Text(format!("Theo loại bài: {}.", kinds.join("; "))));
    }
    blocks.push(Block::Table(days_table(&result, next("Kết quả theo ngày"))));
    blocks.push(Block::Chart(Chart {
        caption: match result.facts.min_per_day {
            Some(_) => "Số lượt phát đủ mỗi ngày so với chỉ tiêu".into(),
            None => "Số lượt phát đủ mỗi ngày".into(),
        },
        counted: "Số lượt phát đủ",
        days: result.by_day.iter().map(|(date, (tally, _))| (*date, tally.aired)).collect(),
        quota: result.facts.min_per_day.map(u64::from),
    }));
    let all: Vec<Arc<Line>> = result.airings.iter().flat_map(|a| a.all.iter().cloned()).collect();
    let devices = by_device(gathered, &all);
    let several = devices.is_some();
    if let Some(table) = devices {
        blocks.push(Block::Text(
            "Mỗi lượt phát của đài tính một lần khi có ít nhất một thiết bị đã phát đủ; số của từng thiết bị như sau:"
                .into(),
        ));
        blocks.push(Block::Table(Table { name: next("Theo từng thiết bị"), ..table }));
    }
    blocks.push(Block::Section("3. Khó khăn, vướng mắc".into()));
    blocks.push(Block::Blank("Khó khăn, vướng mắc và nguyên nhân".into()));
    blocks.push(Block::Section("4. Đề xuất, kiến nghị".into()));
    blocks.push(Block::Blank("Đề xuất, kiến nghị".into()));
    blocks.push(super::period::signature());
    let title = format!("CHI TIẾT CÁC LƯỢT PHÁT CỦA ĐỢT TUYÊN TRUYỀN\n{}", result.facts.title);
    blocks.push(Block::Annex("Phụ lục I".into(), title));
    blocks.push(Block::Table(listing(&head, String::new(), "Phụ lục I", &result.airings, false)));
    blocks.extend(provenance(&head, gathered, result.airings.len()));
    if several {
        blocks.push(Block::Annex("Phụ lục II".into(), "CÁC LƯỢT PHÁT CỦA TỪNG THIẾT BỊ".into()));
        blocks.push(Block::Table(super::period::device_listing(&head, "Phụ lục II", &all)));
    }
    Paper {
        form: Form::Report,
        kind: "BÁO CÁO".into(),
        subject: format!("Kết quả tuyên truyền {}", result.facts.title),
        head,
        blocks,
    }
}
