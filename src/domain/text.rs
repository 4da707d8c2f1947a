//! Every sentence a person reads, in Vietnamese and English, in one place. A sentence that is missing in one
//! language does not compile. Official Vietnamese, short verbs; the words are those of `docs/words.md`.
//!
//! A message says what was tried, on what, why it failed and what to do: lower case, no full stop, the object in
//! quotes, the cause after a colon, the way out on a line of its own.

use crate::domain::airing::{Outcome, Reason};
use crate::domain::config::Language;
use crate::domain::playlist::{ClipKind, Priority};

macro_rules! sentences {
    ($( $(#[$doc:meta])* $name:ident { $($field:ident : $type:ty),* $(,)? } => $vi:literal, $en:literal; )*) => {
        /// A sentence with what goes into it.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Text {
            $( $(#[$doc])* #[allow(missing_docs)] $name { $($field: $type),* }, )*
        }

        impl Text {
            /// The sentence in a language.
            #[allow(unused_variables)]
            pub fn say(&self, language: Language) -> String {
                match (self, language) {
                    $(
                        (Text::$name { $($field),* }, Language::Vi) => format!($vi),
                        (Text::$name { $($field),* }, Language::En) => format!($en),
                    )*
                }
            }

            /// The name of the sentence, stable: golden files and tools know it by this.
            pub fn name(&self) -> &'static str {
                match self {
                    $( Text::$name { .. } => stringify!($name), )*
                }
            }
        }
    };
}

sentences! {
    // ---- what the output can say of itself
    /// What `aired` means (invariant 5).
    AiredMeans {} =>
        "Máy đã đưa đủ tín hiệu âm thanh ra cổng ra; phần mềm không xác nhận được loa có kêu hay không.",
        "The full audio signal was given to the output; software cannot confirm that the loudspeakers sounded.";

    // ---- reading config and lists (domain/document.rs, domain/config.rs)

    // ---- planning (domain/schedule.rs)
    /// Two sessions want the same time.
    Clash { first: String, first_from: String, first_to: String, second: String, second_from: String, second_to: String, overlap: String } =>
        "Trùng giờ: \"{first}\" ({first_from}-{first_to}) và \"{second}\" ({second_from}-{second_to}), chồng nhau {overlap}",
        "Clash: \"{first}\" ({first_from}-{first_to}) and \"{second}\" ({second_from}-{second_to}) overlap by {overlap}";

    // ---- the airing log and exports (edge/airing_log.rs, domain/report.rs)
    /// There is no database to read.
    LogMissing { file: String } =>
        "không có nhật ký phát thanh \"{file}\"\n  chạy `loaxa run` một lần để tạo, hoặc xem lại mục [state] dir trong tệp cấu hình",
        "no airing log \"{file}\"\n  start `loaxa run` once to make it, or look at [state] dir in the config";
    /// A database of something else.
    LogNotALog { file: String } =>
        "\"{file}\" không phải là nhật ký phát thanh của loaxa",
        "\"{file}\" is not an airing log of loaxa";
    /// A database of the future.
    LogNewer { file: String } =>
        "nhật ký \"{file}\" do bản loaxa mới hơn ghi\n  cài lại bản mới hơn rồi thử lại",
        "the log \"{file}\" was written by a newer loaxa\n  install the newer one again";
    /// A second outcome of one airing.
    LogTwice { airing: String } =>
        "lượt phát \"{airing}\" đã có kết quả trong nhật ký, không ghi lần hai",
        "the airing \"{airing}\" has its outcome in the log, it is not written twice";
    /// A write does not come back.
    LogHangs {} =>
        "không ghi được nhật ký: thẻ nhớ hoặc ổ đĩa không trả lời\n  loa vẫn phát, nhật ký giữ trong bộ nhớ; nên thay thẻ nhớ",
        "the log cannot be written: the card or disk does not answer\n  playing goes on, rows are kept in memory; replace the card soon";
    /// No space.
    LogDiskFull { file: String } =>
        "không ghi được nhật ký \"{file}\": hết chỗ trên ổ đĩa\n  loa vẫn phát, nhật ký giữ trong bộ nhớ; hãy xóa bớt tệp",
        "cannot write the log \"{file}\": the disk is full\n  playing goes on, rows are kept in memory; make space";
    /// Somebody else holds the database.
    LogLocked { file: String } =>
        "nhật ký \"{file}\" đang bị chương trình khác giữ\n  đóng chương trình đang mở tệp này",
        "the log \"{file}\" is held by another program\n  close the program that has this file open";
    /// The database is damaged.
    LogDamaged { file: String } =>
        "nhật ký \"{file}\" bị hỏng\n  chạy `loaxa verify` để biết hỏng từ dòng nào",
        "the log \"{file}\" is damaged\n  `loaxa verify` says from which row on";
    /// No leave to read or write.
    LogNoAccess { file: String, why: String } =>
        "không mở được nhật ký \"{file}\": {why}\n  chạy lại lệnh này với sudo, hoặc vào nhóm loaxa",
        "cannot open the log \"{file}\": {why}\n  run this with sudo, or join the group loaxa";
    /// The disk under it fails.
    LogDiskFails { file: String, why: String } =>
        "không đọc hoặc ghi được nhật ký \"{file}\": {why}\n  kiểm tra thẻ nhớ hoặc ổ đĩa",
        "cannot read or write the log \"{file}\": {why}\n  look at the card or disk";
    /// The kind of a relay window in the sheet.
    RelayKind {} => "Tiếp sóng", "Relay";
    /// A format that is not there yet.
    ExportNotYet { format: String } =>
        "chưa có định dạng \"{format}\"\n  dùng --format csv hoặc --format jsonl",
        "the format \"{format}\" is not there yet\n  use --format csv or --format jsonl";
    /// A format nobody knows.
    ExportUnknownFormat { format: String } =>
        "không có định dạng \"{format}\"\n  dùng --format csv hoặc --format jsonl",
        "no format \"{format}\"\n  use --format csv or --format jsonl";
    /// A chain is only jsonl, and only whole.
    ExportChainAlone {} =>
        "--chain cần --format jsonl và không đi cùng --campaign, --slot, --outcome, --source\n  chuỗi chỉ chứng minh được khi đủ mọi dòng",
        "--chain needs --format jsonl and no --campaign, --slot, --outcome or --source\n  a chain proves something only with every row in it";
    /// A word that stands for no moment.
    ExportBadTime { option: String, value: String } =>
        "{option} \"{value}\" không phải là thời điểm\n  viết 2022-10-05T05:30 hoặc 2022-10-05",
        "{option} \"{value}\" is no time\n  write 2022-10-05T05:30 or 2022-10-05";
    /// A word that is no outcome.
    ExportBadOutcome { value: String, known: String } =>
        "--outcome \"{value}\" không phải là kết quả\n  dùng một trong: {known}",
        "--outcome \"{value}\" is no outcome\n  use one of: {known}";
    /// A separator that is not one plain character.
    ExportBadSeparator { value: String } =>
        "--separator \"{value}\" phải là một ký tự, như ; hoặc , hoặc tab",
        "--separator \"{value}\" must be one character, as ; or , or tab";
    /// The file cannot be written.
    ExportCannotWrite { file: String, why: String } =>
        "không ghi được \"{file}\": {why}",
        "cannot write \"{file}\": {why}";
    /// The file is there.
    ExportWritten { rows: u64, file: String } =>
        "đã ghi {rows} dòng vào \"{file}\"",
        "wrote {rows} rows to \"{file}\"";
    /// Beside the progress bar.
    ExportProgress {} => "xuất nhật ký", "exporting";
    /// Beside the progress bar.
    VerifyProgress {} => "kiểm tra nhật ký", "checking the log";
    /// Beside the progress bar.
    VerifyClipsProgress {} => "kiểm tra tệp âm thanh", "checking the clips";
    /// What the chain was found to hold.
    VerifyCounted { rows: u64, first: u64, last: u64, airings: u64, sessions: u64, events: u64, items: u64 } =>
        "{rows} dòng (số {first}-{last}): {airings} lượt phát, {sessions} buổi phát với {items} mục, {events} sự kiện",
        "{rows} rows (numbers {first}-{last}): {airings} airings, {sessions} sessions with {items} items, {events} events";
    /// An empty log.
    VerifyEmpty {} => "nhật ký chưa có dòng nào", "the log has no rows yet";
    /// The head.
    VerifyHead { head: String } => "mã băm dòng cuối: {head}", "hash of the last row: {head}";
    /// The clips.
    VerifyClips { clips: u64, megabytes: u64 } =>
        "{clips} tệp âm thanh trong kho ({megabytes} MB): đúng mã băm",
        "{clips} stored clips ({megabytes} MB): hashes right";
    /// The commune's own clips are checked elsewhere.
    VerifyLocalClips {} =>
        "tệp âm thanh của xã ([local] clips) không nằm trong kho; `loaxa check` kiểm tra các tệp đó",
        "the commune's own clips ([local] clips) are not in the store; `loaxa check` looks at those";
    /// A clip is not what its name says.
    VerifyClipBad { file: String } =>
        "HỎNG: tệp \"{file}\" không đúng mã băm trong tên tệp",
        "BROKEN: the file \"{file}\" does not have the hash in its name";
    /// A clip cannot be read.
    VerifyClipUnreadable { file: String, why: String } =>
        "HỎNG: không đọc được tệp \"{file}\": {why}",
        "BROKEN: cannot read the file \"{file}\": {why}";
    /// SQLite's own finding.
    VerifyDatabase { what: String } =>
        "HỎNG: cơ sở dữ liệu: {what}",
        "BROKEN: database: {what}";
    /// A finding.
    VerifyBreak { rows: String, what: String } => "HỎNG: dòng {rows}: {what}", "BROKEN: row {rows}: {what}";
    /// More findings than are shown.
    VerifyMore { more: u64 } => "... và {more} lỗi nữa", "... and {more} more";
    /// The airings that were lost in an outage, which a row tells.
    VerifyLost { lost: u64 } =>
        "lưu ý: {lost} lượt phát không ghi được khi ổ đĩa hỏng, có dòng sự kiện nói rõ",
        "note: {lost} airings could not be kept while the disk failed, a row of the log says so";
    /// Sounds that have no row yet.
    VerifyIntents { intents: u64 } =>
        "lưu ý: {intents} lượt đang phát hoặc dở dang, sẽ có kết quả khi phát xong hoặc khi khởi động lại",
        "note: {intents} airings on the air or left open; they get their outcome at their end or at the next start";
    /// All is well.
    VerifyFine {} => "NGUYÊN VẸN", "WHOLE";
    /// All is well, but each row stands alone.
    VerifyFineEach {} =>
        "từng dòng nguyên vẹn; không chứng minh được là đủ dòng (xuất với --chain để chứng minh)",
        "each row is whole; that none is missing is not proven (export with --chain for that)";
    /// Not all is well.
    VerifyBroken { first: u64, broken: u64 } =>
        "KHÔNG NGUYÊN VẸN: {broken} lỗi, bắt đầu từ dòng {first}",
        "NOT WHOLE: {broken} findings, the first in row {first}";
    /// Not all is well, but every row is.
    VerifyBrokenElsewhere { broken: u64 } =>
        "KHÔNG NGUYÊN VẸN: {broken} lỗi, các dòng nhật ký đều đúng",
        "NOT WHOLE: {broken} findings, the rows themselves are right";
    /// The file is no export.
    VerifyNotAnExport { file: String } =>
        "\"{file}\" không phải là tệp xuất jsonl của loaxa\n  xuất lại bằng: loaxa export --format jsonl --chain -o nhat-ky.jsonl",
        "\"{file}\" is not a jsonl export of loaxa\n  export again: loaxa export --format jsonl --chain -o log.jsonl";
    /// The file cannot be read.
    VerifyCannotRead { file: String, why: String } =>
        "không đọc được \"{file}\": {why}",
        "cannot read \"{file}\": {why}";
    /// A chain without its last line.
    VerifyNoSummary {} =>
        "HỎNG: thiếu dòng tổng kết ở cuối, tệp đã bị cắt đuôi",
        "BROKEN: the summary at the end is missing, the file's tail was cut off";
    /// The last line contradicts the rows.
    VerifySummary { field: String } =>
        "HỎNG: dòng tổng kết không khớp ở \"{field}\"",
        "BROKEN: the summary does not agree in \"{field}\"";
    /// A rule.
    RuleUnreadable {} => "không đúng cách ghi của nhật ký", "not written as the log writes rows";
    /// A rule.
    RuleColumn {} => "cột tra cứu khác nội dung dòng", "a search column differs from the row";
    /// A rule.
    RuleNumber { expected: u64 } =>
        "thiếu dòng hoặc sai thứ tự, lẽ ra là số {expected}",
        "rows are missing or out of order, number {expected} should stand here";
    /// A rule.
    RuleHash {} => "nội dung đã bị thay đổi, mã băm không khớp", "the content was changed, its hash does not fit";
    /// A rule.
    RuleLink {} => "không nối với dòng trước", "does not hang on the row before";
    /// A rule.
    RuleOtherLog {} => "thuộc nhật ký khác (log_id khác)", "belongs to another log (other log_id)";
    /// A rule.
    RulePair {} => "kết quả và lý do không đi cùng nhau", "outcome and reason do not go together";
    /// A rule.
    RuleContradiction {} =>
        "giờ hoặc thời gian đã phát trái với kết quả",
        "times or played length contradict the outcome";
    /// A rule.
    RuleTwice {} => "lượt phát này đã có kết quả ở dòng trước", "this airing has its outcome in an earlier row";
    /// A rule.
    RuleNoOutcome { item: usize } =>
        "buổi phát đã xong nhưng mục thứ {item} không có kết quả",
        "the session is over but item {item} has no outcome";
    /// A rule.
    RuleOtherThanPlanned {} =>
        "giờ theo lịch hoặc tệp âm thanh khác với kế hoạch đã chốt",
        "planned time or audio differ from the fixed plan";
    /// A rule.
    RuleTail {} => "các dòng cuối đã bị cắt", "the last rows were cut off";

    // ---- lists from above (edge/http.rs, edge/clip_store.rs, daemon/sync.rs, publishing)

    // ---- sound (edge/decoder.rs, edge/speaker.rs)

    // ---- the daemon (daemon/, edge/control.rs)

    // ---- commands (cli/)
}

/// The outcome as shown on screen and in reports.
pub fn outcome_word(outcome: Outcome, language: Language) -> &'static str {
    match (outcome, language) {
        (Outcome::Aired, Language::Vi) => "Đã phát đủ",
        (Outcome::Aired, Language::En) => "Aired",
        (Outcome::Partial, Language::Vi) => "Phát dở (do sự cố)",
        (Outcome::Partial, Language::En) => "Partial (fault)",
        (Outcome::Interrupted, Language::Vi) => "Bị ngắt giữa chừng",
        (Outcome::Interrupted, Language::En) => "Interrupted",
        (Outcome::Missed, Language::Vi) => "Không phát được",
        (Outcome::Missed, Language::En) => "Missed",
        (Outcome::Blocked, Language::Vi) => "Không cho phát",
        (Outcome::Blocked, Language::En) => "Blocked",
        (Outcome::Failed, Language::Vi) => "Lỗi tệp hoặc thiết bị",
        (Outcome::Failed, Language::En) => "Failed",
        (Outcome::Relayed, Language::Vi) => "Đã chuyển tiếp sóng",
        (Outcome::Relayed, Language::En) => "Relayed",
    }
}

/// The reason as shown on screen and in reports.
pub fn reason_words(reason: Reason, language: Language) -> &'static str {
    match (reason, language) {
        (Reason::PowerOff, Language::Vi) => "Thiết bị tắt nguồn",
        (Reason::PowerOff, Language::En) => "Power off",
        (Reason::Crashed, Language::Vi) => "Chương trình dừng đột ngột",
        (Reason::Crashed, Language::En) => "Program ended abruptly",
        (Reason::Late, Language::Vi) => "Quá giờ cho phép bắt đầu",
        (Reason::Late, Language::En) => "Past the time allowed to begin",
        (Reason::ClipMissing, Language::Vi) => "Thiếu tệp âm thanh",
        (Reason::ClipMissing, Language::En) => "Audio file missing",
        (Reason::ClipBad, Language::Vi) => "Tệp hỏng hoặc đã bị thay đổi",
        (Reason::ClipBad, Language::En) => "File broken or changed",
        (Reason::NotApproved, Language::Vi) => "Chưa được duyệt",
        (Reason::NotApproved, Language::En) => "Not approved",
        (Reason::Expired, Language::Vi) => "Hết thời hạn phát",
        (Reason::Expired, Language::En) => "Expired",
        (Reason::QuietHours, Language::Vi) => "Trong giờ không phát loa",
        (Reason::QuietHours, Language::En) => "Quiet hours",
        (Reason::Emergency, Language::Vi) => "Nhường bản tin khẩn cấp",
        (Reason::Emergency, Language::En) => "Gave way to an emergency",
        (Reason::HardStart, Language::Vi) => "Nhường buổi phát sau",
        (Reason::HardStart, Language::En) => "Gave way to the next session",
        (Reason::Overlap, Language::Vi) => "Trùng giờ buổi khác",
        (Reason::Overlap, Language::En) => "Another session had the air",
        (Reason::TooLong, Language::Vi) => "Vượt thời lượng buổi phát",
        (Reason::TooLong, Language::En) => "Session too long",
        (Reason::ClockUnknown, Language::Vi) => "Chưa có giờ chính xác",
        (Reason::ClockUnknown, Language::En) => "Clock not known",
        (Reason::DeviceLost, Language::Vi) => "Mất kết nối thiết bị âm thanh",
        (Reason::DeviceLost, Language::En) => "Audio device lost",
        (Reason::HookFailed, Language::Vi) => "Không bật được tăng âm",
        (Reason::HookFailed, Language::En) => "Amplifier did not switch on",
        (Reason::Stopped, Language::Vi) => "Đang tạm dừng",
        (Reason::Stopped, Language::En) => "Stopped",
        (Reason::SpecialDay, Language::Vi) => "Ngày đặc biệt",
        (Reason::SpecialDay, Language::En) => "Special day",
        (Reason::Withdrawn, Language::Vi) => "Đã thu hồi",
        (Reason::Withdrawn, Language::En) => "Withdrawn",
    }
}

/// The kind of a clip as shown in reports.
pub fn clip_kind_words(kind: ClipKind, language: Language) -> &'static str {
    match (kind, language) {
        (ClipKind::NhacHieu, Language::Vi) => "Nhạc hiệu",
        (ClipKind::NhacHieu, Language::En) => "Signature tune",
        (ClipKind::LoiXuong, Language::Vi) => "Lời xướng",
        (ClipKind::LoiXuong, Language::En) => "Station call",
        (ClipKind::NhacCat, Language::Vi) => "Nhạc cắt",
        (ClipKind::NhacCat, Language::En) => "Bumper",
        (ClipKind::NhacKet, Language::Vi) => "Nhạc kết",
        (ClipKind::NhacKet, Language::En) => "Closing tune",
        (ClipKind::BanTin, Language::Vi) => "Bản tin",
        (ClipKind::BanTin, Language::En) => "Bulletin",
        (ClipKind::ThongBao, Language::Vi) => "Thông báo",
        (ClipKind::ThongBao, Language::En) => "Notice",
        (ClipKind::ChuyenMuc, Language::Vi) => "Chuyên mục",
        (ClipKind::ChuyenMuc, Language::En) => "Feature",
        (ClipKind::ThongDiep, Language::Vi) => "Thông điệp",
        (ClipKind::ThongDiep, Language::En) => "Spot",
        (ClipKind::CaKhuc, Language::Vi) => "Ca khúc",
        (ClipKind::CaKhuc, Language::En) => "Song",
    }
}

/// The priority as shown in reports.
pub fn priority_words(priority: Priority, language: Language) -> &'static str {
    match (priority, language) {
        (Priority::Emergency, Language::Vi) => "Khẩn cấp",
        (Priority::Emergency, Language::En) => "Emergency",
        (Priority::Priority, Language::Vi) => "Ưu tiên",
        (Priority::Priority, Language::En) => "Priority",
        (Priority::Normal, Language::Vi) => "Thông thường",
        (Priority::Normal, Language::En) => "Normal",
    }
}

/// A length of time in words, rounded to seconds: `1 phút 5 giây`.
pub fn length_words(ms: i64, language: Language) -> String {
    let s = (ms + 500).div_euclid(1000);
    let (hour, minute, second) = match language {
        Language::Vi => ("giờ", "phút", "giây"),
        Language::En => ("h", "min", "s"),
    };
    let mut parts = Vec::new();
    for (n, word) in [(s / 3600, hour), (s / 60 % 60, minute), (s % 60, second)] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    if parts.is_empty() { format!("0 {second}") } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_leave_out_what_is_nought() {
        assert_eq!(length_words(65_000, Language::Vi), "1 phút 5 giây");
        assert_eq!(length_words(3_600_000, Language::Vi), "1 giờ");
        assert_eq!(length_words(0, Language::En), "0 s");
    }
}
