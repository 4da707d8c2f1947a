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

    // ---- lists from above (edge/http.rs, edge/clip_store.rs, daemon/sync.rs, publishing)

    // ---- sound (edge/decoder.rs, edge/speaker.rs)
    /// A clip's file is not there.
    ClipMissingFile { path: String } =>
        "không có tệp âm thanh \"{path}\"\nkiểm tra tên tệp (phân biệt chữ hoa, chữ thường) hoặc chép lại tệp vào đúng thư mục",
        "there is no audio file \"{path}\"\ncheck the name (upper and lower case differ) or copy the file into its folder";
    /// A clip's file cannot be read.
    ClipUnreadable { path: String, why: String } =>
        "không đọc được tệp âm thanh \"{path}\": {why}\nkiểm tra quyền đọc tệp và thẻ nhớ",
        "cannot read the audio file \"{path}\": {why}\ncheck the file's permissions and the memory card";
    /// Not a sound file at all.
    ClipUnknownFormat { path: String } =>
        "tệp \"{path}\" không phải âm thanh mp3, ogg, flac, wav hay m4a\nlưu lại thành mp3 rồi dùng tệp mp3 đó",
        "\"{path}\" is not mp3, ogg, flac, wav or m4a audio\nsave it as mp3 and use that file";
    /// A sound format of phones and messengers.
    ClipOtherFormat { path: String, format: String } =>
        "tệp \"{path}\" thuộc định dạng {format} (thường từ Zalo, Messenger hoặc máy ghi âm), không phát được\nlưu lại thành mp3, ví dụ: ffmpeg -i TỆP-CŨ -b:a 128k TỆP-MỚI.mp3",
        "\"{path}\" is {format} (as Zalo, Messenger and voice recorders make), which does not play\nsave it as mp3, for example: ffmpeg -i OLD-FILE -b:a 128k NEW-FILE.mp3";
    /// A clip that does not decode whole.
    ClipBroken { path: String, why: String } =>
        "tệp âm thanh \"{path}\" bị hỏng: {why}\nchép hoặc xuất lại tệp từ bản gốc",
        "the audio file \"{path}\" is broken: {why}\ncopy or export it again from the original";
    /// Channels or rate that do not play.
    ClipUnplayable { path: String, channels: usize, rate: u32 } =>
        "tệp \"{path}\" có {channels} kênh, {rate} Hz, không phát được\nlưu lại thành 1 hoặc 2 kênh, từ 8000 đến 96000 Hz, ví dụ: ffmpeg -i TỆP-CŨ -ac 1 -ar 44100 TỆP-MỚI.mp3",
        "\"{path}\" has {channels} channels at {rate} Hz, which does not play\nsave it with 1 or 2 channels, 8000 to 96000 Hz, for example: ffmpeg -i OLD-FILE -ac 1 -ar 44100 NEW-FILE.mp3";
    /// A clip longer than any.
    ClipTooLong { path: String, hours: u64 } =>
        "tệp âm thanh \"{path}\" dài quá {hours} giờ\ncắt ngắn tệp",
        "the audio file \"{path}\" is longer than {hours} hours\ncut it shorter";
    /// The file's bytes are not those that were planned.
    ClipChanged { path: String } =>
        "tệp âm thanh \"{path}\" đã bị thay đổi sau khi được nhận",
        "the audio file \"{path}\" was changed after it was taken in";
    /// `[output] device` names nothing ALSA knows.
    DeviceUnknown { name: String } =>
        "không có thiết bị âm thanh \"{name}\"\nxem các tên có trên máy: loaxa devices",
        "there is no audio device \"{name}\"\nsee the names on this machine: loaxa devices";
    /// The device does not open.
    DeviceWillNotOpen { name: String, why: String } =>
        "không mở được thiết bị âm thanh \"{name}\": {why}\nkiểm tra dây cắm, hoặc chương trình khác đang giữ thiết bị",
        "cannot open the audio device \"{name}\": {why}\ncheck the plug, and whether another program holds the device";
    /// The device took no more samples.
    DeviceStoodStill { name: String } =>
        "thiết bị âm thanh \"{name}\" không còn nhận âm thanh\nkiểm tra dây cắm và dịch vụ âm thanh của máy",
        "the audio device \"{name}\" takes no more sound\ncheck the plug and the machine's sound service";
    /// `loaxa devices`, when there are none.
    NoDevices {} =>
        "máy này không có thiết bị âm thanh ALSA nào\ncắm thiết bị, hoặc đặt device = \"null\" (im lặng) hay device = \"wav:TỆP\" để chạy thử",
        "this machine has no ALSA audio device\nplug one in, or set device = \"null\" (silent) or device = \"wav:FILE\" for a trial";
    /// `loaxa devices`, beside the device in use.
    DeviceInUse {} => "đang dùng", "in use";
    /// `loaxa devices`, when the configured name is not among those listed.
    DeviceNotListed { name: String } =>
        "tên \"{name}\" trong [output] device không có trong danh sách",
        "the name \"{name}\" in [output] device is not in the list";

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
