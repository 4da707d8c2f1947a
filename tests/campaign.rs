//! The demo campaign through the rehearsal: the golden numbers.

use std::sync::Arc;

use loaxa::domain::airing::{Airing, Outcome, Reason};
use loaxa::domain::config::{Config, read_config};
use loaxa::domain::playlist::{Form, List, read_list};
use loaxa::domain::schedule::{InForce, Programme, clashes};
use loaxa::domain::simulate::{Incident, Rehearsal, airings, rehearse};
use loaxa::domain::stage::Absence;
use loaxa::domain::time::{ClockState, Wall};

fn wall(text: &str) -> Wall {
    Wall::parse_rfc3339(text).unwrap()
}

fn golden(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn programme(from: Wall, edit_local: impl Fn(String) -> String) -> Arc<Programme> {
    let config: Config = read_config(golden("station.toml").as_bytes(), true).value.unwrap();
    let local: List = read_list(edit_local(golden("local.toml")).as_bytes(), Form::Local).value.unwrap();
    let province: List = read_list(golden("province.toml").as_bytes(), Form::Handwritten).value.unwrap();
    let lists = [
        InForce { source: "local".into(), list: Arc::new(local), since: from },
        InForce { source: "tinh".into(), list: Arc::new(province), since: from },
    ];
    Arc::new(Programme::new(Arc::new(config), &lists).unwrap())
}

fn run(incidents: Vec<(Wall, Incident)>) -> Vec<Airing> {
    let (from, to) = (wall("2022-10-01T00:00:00+07:00"), wall("2022-10-11T00:00:00+07:00"));
    let rehearsal = Rehearsal { from, to, incidents, clock: ClockState::Synced };
    let (rows, _) = rehearse(programme(from, |t| t), &rehearsal);
    airings(&rows, from, to).cloned().collect()
}

fn campaign(rows: &[Airing]) -> Vec<&Airing> {
    rows.iter().filter(|a| a.campaign_id.as_deref() == Some("tinh/cds-2022")).collect()
}

#[test]
fn the_campaign_airs_44_times_in_20_sessions() {
    let rows = run(Vec::new());
    let ours = campaign(&rows);
    let aired: Vec<_> = ours.iter().filter(|a| a.outcome == Outcome::Aired).collect();
    assert_eq!(aired.len(), 44);
    assert_eq!(aired.iter().map(|a| a.played_ms).sum::<i64>(), 5_940_000);
    let count = |id: &str| aired.iter().filter(|a| a.clip_id.as_deref() == Some(id)).count();
    assert_eq!((count("cd1"), count("cd2"), count("cd3"), count("td0")), (8, 8, 8, 20));
    let sessions: std::collections::BTreeSet<_> = aired.iter().map(|a| a.session_start.clone()).collect();
    assert_eq!(sessions.len(), 20);
    for day in 1..=10 {
        let date = format!("2022-10-{day:02}");
        assert!(aired.iter().filter(|a| a.planned_at.starts_with(&date)).count() >= 2, "quota on {date}");
    }
    // Nothing else went wrong that fortnight either.
    assert!(rows.iter().all(|a| matches!(a.outcome, Outcome::Aired | Outcome::Relayed)));
    let topics: Vec<_> = ours
        .iter()
        .filter(|a| a.clip_id.as_deref() != Some("td0"))
        .take(6)
        .map(|a| a.topic_id.clone().unwrap())
        .collect();
    assert_eq!(topics, ["tinh/CD1", "tinh/CD2", "tinh/CD3", "tinh/CD1", "tinh/CD2", "tinh/CD3"]);
}

#[test]
fn a_power_cut_leaves_one_partial_and_one_missed() {
    let cut = (wall("2022-10-05T05:37:00+07:00"), Incident::Away(Absence::PowerOff, wall("2022-10-05T05:50:00+07:00")));
    let rows = run(vec![cut]);
    let ours = campaign(&rows);
    let of = |outcome| ours.iter().filter(move |a| a.outcome == outcome).collect::<Vec<_>>();
    assert_eq!(of(Outcome::Aired).len(), 42);
    assert_eq!(of(Outcome::Aired).iter().map(|a| a.played_ms).sum::<i64>(), 5_685_000);
    let partial = of(Outcome::Partial);
    assert_eq!(partial.len(), 1);
    assert_eq!((partial[0].clip_id.as_deref(), partial[0].played_ms), (Some("cd3"), 85_000));
    assert_eq!(partial[0].reason, Some(Reason::PowerOff));
    assert_eq!(partial[0].planned_at, "2022-10-05T05:35:35.000+07:00");
    assert_eq!(partial[0].ended_at.as_deref(), Some("2022-10-05T05:37:00.000+07:00"));
    assert_eq!(partial[0].boot_id.as_deref(), Some("sim-2"));
    let missed = of(Outcome::Missed);
    assert_eq!(missed.len(), 1);
    assert_eq!((missed[0].clip_id.as_deref(), missed[0].reason), (Some("td0"), Some(Reason::PowerOff)));
    // Every planned airing once, power cut or not.
    let ids: std::collections::BTreeSet<_> = rows.iter().map(|a| a.airing_id.clone()).collect();
    assert_eq!(ids.len(), rows.len());
    assert_eq!(ids, run(Vec::new()).iter().map(|a| a.airing_id.clone()).collect());
    // The relay window that was running when power came back is joined, and kept to its end.
    let relay = rows.iter().find(|a| a.airing_id == "local/tiep-song-tinh-sang/2022-10-05T05:45:00+07:00/1").unwrap();
    assert_eq!(relay.outcome, Outcome::Relayed);
    assert_eq!(relay.started_at.as_deref(), Some("2022-10-05T05:50:00.000+07:00"));
}

#[test]
fn the_relay_windows_of_the_tenth_clash_unless_they_are_dropped() {
    let from = wall("2022-10-10T00:00:00+07:00");
    let until = wall("2022-10-11T00:00:00+07:00");
    assert!(clashes(&programme(from, |t| t), from, until).is_empty());
    let kept = programme(from, |t| t.replace("2022-10-10", "2022-10-31"));
    let found = clashes(&kept, from, until);
    let said: Vec<_> = found
        .iter()
        .map(|c| c.text(kept.zone, loaxa::domain::config::Language::Vi).say(loaxa::domain::config::Language::Vi))
        .collect();
    assert!(
        said.contains(
            &"Trùng giờ: \"Biểu dương điển hình\" (05:42:35-05:46:05) và \"Tiếp sóng Đài tỉnh\" (05:45:00-06:00:00), chồng nhau 1 phút 5 giây".to_owned()
        ),
        "{said:#?}"
    );
}
