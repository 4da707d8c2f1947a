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
    /// A source without a key.
    SourceNoKey { source: String } =>
        "nguồn \"{source}\" không có khóa công khai nào trong station.toml: không kiểm tra được chữ ký\nghi public_keys = [\"RW...\"] đúng như đơn vị gửi đã cung cấp",
        "source \"{source}\" has no public key in station.toml: signatures cannot be checked\nwrite public_keys = [\"RW...\"] as given by the sender";
    /// A key in the config that is not a key.
    SourceKeyMalformed { source: String, key: String } =>
        "khóa công khai \"{key}\" của nguồn \"{source}\" ghi sai trong station.toml: không phải khóa minisign\nchép lại nguyên dòng bắt đầu bằng RW trong tệp .pub của đơn vị gửi",
        "public key \"{key}\" of source \"{source}\" is mistyped in station.toml: not a minisign key\ncopy the whole line that begins with RW from the sender's .pub file";
    /// The signature file cannot be read.
    SignatureMalformed { source: String } =>
        "tệp chữ ký (.minisig) của nguồn \"{source}\" hỏng hoặc bị sửa: giữ danh sách cũ\nbáo đơn vị gửi công bố lại",
        "the signature file (.minisig) of source \"{source}\" is broken or altered: the old list stays\nask the sender to publish again";
    /// The old form of minisign signature.
    SignatureLegacy { source: String } =>
        "chữ ký của nguồn \"{source}\" thuộc kiểu cũ, không được nhận: giữ danh sách cũ\nbáo đơn vị gửi dùng loaxa publish, hoặc minisign từ bản 0.10",
        "the signature of source \"{source}\" is of the old form, which is not accepted: the old list stays\nask the sender to use loaxa publish, or minisign 0.10 or later";
    /// Signed with a key nobody wrote down here.
    SignatureKeyUnknown { source: String, key_id: String } =>
        "danh sách của nguồn \"{source}\" ký bằng khóa lạ {key_id}: không nhận, giữ danh sách cũ\nnếu đơn vị gửi đã đổi khóa, hỏi họ khóa mới qua điện thoại hoặc văn bản rồi ghi vào public_keys; nếu không, có người giả mạo",
        "the list of source \"{source}\" is signed with an unknown key {key_id}: refused, the old list stays\nif the sender changed keys, get the new one by telephone or letter and write it into public_keys; if not, somebody is forging lists";
    /// The signature is over other bytes.
    SignatureBytesChanged { source: String } =>
        "danh sách của nguồn \"{source}\" không khớp chữ ký: nội dung đã bị thay đổi sau khi ký; giữ danh sách cũ\nbáo đơn vị gửi kiểm tra máy chủ web và công bố lại",
        "the list of source \"{source}\" does not match its signature: it was changed after signing; the old list stays\nask the sender to check the web server and publish again";
    /// Signed, but not a list.
    ListMalformed { source: String, finding: String, findings: usize } =>
        "danh sách của nguồn \"{source}\" có {findings} lỗi, không nhận: {finding}\nbáo đơn vị gửi; danh sách cũ vẫn phát",
        "the list of source \"{source}\" has {findings} errors and is refused: {finding}\ntell the sender; the old list stays";
    /// A list of a later format.
    ListFormatUnknown { source: String, format: u64 } =>
        "danh sách của nguồn \"{source}\" ở định dạng {format}, bản loaxa này chưa đọc được: giữ danh sách cũ\ncập nhật loaxa trên máy này",
        "the list of source \"{source}\" is in format {format}, which this loaxa cannot read: the old list stays\nupdate loaxa on this machine";
    /// The list of somebody else.
    ListOtherSource { source: String, found: String } =>
        "danh sách tại địa chỉ của nguồn \"{source}\" lại tự ghi là nguồn \"{found}\": không nhận\nsửa id hoặc url của [[source]] trong station.toml",
        "the list at the address of source \"{source}\" calls itself source \"{found}\": refused\ncorrect id or url of the [[source]] in station.toml";
    /// A list for other stations.
    ListNotForStation { source: String, station: String } =>
        "danh sách của nguồn \"{source}\" không dành cho đài \"{station}\": không nhận\nxem lại id trong [station], hoặc báo đơn vị gửi thêm đài này vào stations",
        "the list of source \"{source}\" is not meant for station \"{station}\": refused\ncheck id in [station], or ask the sender to add this station to stations";
    /// A list older than the accepted one.
    SerialLower { source: String, serial: u64, stored: u64 } =>
        "danh sách của nguồn \"{source}\" mang số {serial}, cũ hơn số {stored} đang dùng: không nhận\nbáo đơn vị gửi công bố lại với --serial {stored}",
        "the list of source \"{source}\" has serial {serial}, older than {stored} in use: refused\nask the sender to publish again with --serial {stored}";
    /// Two different lists with one serial.
    SerialEquivocation { source: String, serial: u64 } =>
        "nguồn \"{source}\" có hai danh sách khác nhau cùng mang số {serial}: không nhận bản mới\nbáo đơn vị gửi ngay: có hai nơi cùng ký, hoặc khóa ký bị lộ",
        "source \"{source}\" has two different lists with serial {serial}: the new one is refused\ntell the sender at once: two places sign, or the signing key is in other hands";
    /// A serial too far ahead.
    SerialJump { source: String, serial: u64, stored: u64, most: u64 } =>
        "danh sách của nguồn \"{source}\" nhảy từ số {stored} lên {serial}, quá {most}: không nhận\nbáo đơn vị gửi kiểm tra --serial và khóa ký",
        "the list of source \"{source}\" jumps from serial {stored} to {serial}, by more than {most}: refused\nask the sender to check --serial and the signing key";
    /// A list that would live too long.
    ListLifeTooLong { source: String, days: i64, most: i64 } =>
        "danh sách của nguồn \"{source}\" có hạn {days} ngày, dài nhất được {most}: không nhận\nbáo đơn vị gửi công bố lại với --expires ngắn hơn",
        "the list of source \"{source}\" is valid for {days} days, at most {most} are allowed: refused\nask the sender to publish again with a shorter --expires";
    /// A list that had expired when it came.
    ListExpiredOnArrival { source: String, expires_at: String } =>
        "danh sách của nguồn \"{source}\" đã hết hạn lúc {expires_at}: không nhận\nbáo đơn vị gửi công bố lại; nếu chưa hết hạn, xem lại giờ của máy này",
        "the list of source \"{source}\" expired at {expires_at}: refused\nask the sender to publish again; if it has not expired, check this machine's clock";
    /// Not an address.
    HttpBadUrl { url: String } =>
        "địa chỉ \"{url}\" ghi sai\nsửa url của [[source]] trong station.toml, bắt đầu bằng http:// hoặc https://",
        "address \"{url}\" is wrong\ncorrect url of the [[source]] in station.toml; it begins with http:// or https://";
    /// The host is unknown.
    HttpNoHost { url: String } =>
        "không tìm thấy máy chủ của \"{url}\": chưa có mạng, hoặc tên máy chủ sai\nkiểm tra mạng Internet và url của [[source]]",
        "the server of \"{url}\" cannot be found: no network, or its name is wrong\ncheck the network and url of the [[source]]";
    /// Nobody answers.
    HttpNoConnection { url: String, cause: String } =>
        "không kết nối được \"{url}\": {cause}\nkiểm tra mạng; máy sẽ tự thử lại",
        "cannot connect to \"{url}\": {cause}\ncheck the network; it will be tried again";
    /// The certificate does not hold.
    HttpTls { url: String, cause: String } =>
        "kết nối bảo mật tới \"{url}\" không tin được: {cause}\nxem giờ của máy này có đúng không, rồi báo đơn vị gửi",
        "the secure connection to \"{url}\" cannot be trusted: {cause}\ncheck this machine's clock, then tell the sender";
    /// No byte for too long.
    HttpSilence { url: String } =>
        "máy chủ không trả lời: \"{url}\"\nmáy sẽ tự thử lại",
        "the server does not answer: \"{url}\"\nit will be tried again";
    /// Slower than allowed.
    HttpTooSlow { url: String, slowest: u64 } =>
        "đường truyền chậm hơn {slowest} byte mỗi giây: \"{url}\"\nphần đã tải được giữ lại, máy sẽ tự tải tiếp",
        "the transfer is slower than {slowest} bytes a second: \"{url}\"\nwhat has come is kept, it will be taken up again";
    /// A status that will not do.
    HttpStatus { url: String, status: u16 } =>
        "máy chủ trả lời mã {status} cho \"{url}\"\nnếu là 404: sửa url của [[source]], hoặc báo đơn vị gửi công bố lại",
        "the server answers {status} for \"{url}\"\nif it is 404: correct url of the [[source]], or ask the sender to publish again";
    /// Sent elsewhere.
    HttpRedirect { url: String, to: String } =>
        "\"{url}\" chuyển sang \"{to}\": không đi theo\nmạng có thể đang đòi đăng nhập; nếu máy chủ đã dời chỗ, ghi địa chỉ mới vào url của [[source]]",
        "\"{url}\" redirects to \"{to}\": not followed\nthe network may want a login; if the server has moved, write its new address into url of the [[source]]";
    /// A web page in place of the list.
    HttpPortal { url: String } =>
        "\"{url}\" trả về một trang web thay cho dữ liệu: coi như chưa có mạng\nmạng có thể đang đòi đăng nhập hoặc hết dung lượng",
        "\"{url}\" returns a web page in place of the data: taken as no network\nthe network may want a login, or the data allowance is used up";
    /// Headers without end.
    HttpHeaders { url: String } =>
        "phần đầu trả lời của \"{url}\" quá dài: bỏ\nbáo đơn vị gửi kiểm tra máy chủ web",
        "the response headers of \"{url}\" are too long: dropped\nask the sender to check the web server";
    /// Longer than allowed.
    HttpTooLong { url: String, most: u64 } =>
        "\"{url}\" dài hơn {most} byte: bỏ\nbáo đơn vị gửi công bố lại",
        "\"{url}\" is longer than {most} bytes: dropped\nask the sender to publish again";
    /// Not the signed length.
    HttpLength { url: String, expected: u64, found: u64 } =>
        "\"{url}\" dài {found} byte, danh sách ghi {expected}: bỏ\nbáo đơn vị gửi công bố lại",
        "\"{url}\" has {found} bytes, the list says {expected}: dropped\nask the sender to publish again";
    /// Ended early.
    HttpTruncated { url: String, have: u64, expected: u64 } =>
        "\"{url}\" bị ngắt giữa chừng ở {have} trên {expected} byte\nphần đã tải được giữ lại, máy sẽ tự tải tiếp",
        "\"{url}\" broke off at {have} of {expected} bytes\nwhat has come is kept, it will be taken up again";
    /// Compressed though plain was asked for.
    HttpEncoded { url: String } =>
        "\"{url}\" bị nén dù đã yêu cầu không nén: bỏ\nbáo đơn vị gửi tắt nén trên máy chủ web",
        "\"{url}\" comes compressed though plain was asked for: dropped\nask the sender to switch compression off on the web server";
    /// Another part than asked for.
    HttpRange { url: String } =>
        "máy chủ trả lời sai đoạn cần tải của \"{url}\": bỏ\nmáy sẽ tự tải lại từ đầu",
        "the server answers with the wrong part of \"{url}\": dropped\nit will be fetched again from the start";
    /// What came could not be put down.
    HttpSink { cause: String } =>
        "không ghi được tệp đang tải: {cause}\nkiểm tra thẻ nhớ hoặc ổ đĩa",
        "the file under way cannot be written: {cause}\ncheck the memory card or disk";
    /// Told to stop.
    HttpStopped {} => "dừng tải", "transfer stopped";
    /// The disk said no.
    StoreIo { path: String, cause: String } =>
        "không đọc hoặc ghi được \"{path}\": {cause}\nkiểm tra thẻ nhớ hoặc ổ đĩa",
        "cannot read or write \"{path}\": {cause}\ncheck the memory card or disk";
    /// Other bytes than signed.
    ClipWrongBytes { title: String } =>
        "tệp âm thanh \"{title}\" không đúng nội dung đã ký: bỏ, giữ danh sách cũ\nbáo đơn vị gửi công bố lại",
        "audio file \"{title}\" does not have the signed content: dropped, the old list stays\nask the sender to publish again";
    /// May not air.
    ClipRefused { title: String, why: String } =>
        "tệp âm thanh \"{title}\" không dùng được, giữ danh sách cũ: {why}",
        "audio file \"{title}\" cannot be used, the old list stays: {why}";
    /// Longer or shorter than signed.
    ClipDuration { title: String, signed_ms: i64, found_ms: i64 } =>
        "tệp âm thanh \"{title}\" dài {found_ms} ms, danh sách ghi {signed_ms} ms, lệch quá 2 %: giữ danh sách cũ\nbáo đơn vị gửi công bố lại",
        "audio file \"{title}\" lasts {found_ms} ms, the list says {signed_ms} ms, more than 2 % apart: the old list stays\nask the sender to publish again";
    /// A clip the list needs is not there.
    ClipNotThere { title: String } =>
        "chưa có tệp âm thanh \"{title}\" mà danh sách cần: giữ danh sách cũ",
        "audio file \"{title}\" that the list needs is not there: the old list stays";
    /// The disk is nearly full.
    StoreNoRoom { needed_mb: u64 } =>
        "không đủ chỗ trống cho {needed_mb} MB âm thanh (phải chừa 64 MB cho nhật ký)\nxóa bớt tệp khác trên máy, hoặc dùng thẻ nhớ lớn hơn",
        "not enough free space for {needed_mb} MB of audio (64 MB are left for the log)\nremove other files, or use a larger memory card";
    /// More than the quota.
    StoreOverQuota { needed_mb: u64, quota_mb: u64 } =>
        "danh sách cần {needed_mb} MB âm thanh, clips_quota chỉ cho {quota_mb} MB: giữ danh sách cũ\ntăng clips_quota trong [state], hoặc báo đơn vị gửi giảm bớt",
        "the list needs {needed_mb} MB of audio, clips_quota allows {quota_mb} MB: the old list stays\nraise clips_quota in [state], or ask the sender to send less";
    /// The disk already knows a list as new.
    StoreOvertaken { source: String } =>
        "nguồn \"{source}\" đã có danh sách mới hơn trên máy này",
        "source \"{source}\" already has a newer list on this machine";
    /// An id that cannot be a file name.
    StoreBadName { source: String } =>
        "id của nguồn \"{source}\" không đặt tên tệp được\nchỉ dùng chữ, số, dấu - và _ trong id của [[source]]",
        "the id of source \"{source}\" cannot be a file name\nuse letters, digits, - and _ in id of the [[source]]";
    /// The accepted state is damaged.
    StoreDamaged { source: String } =>
        "tệp ghi trạng thái của nguồn \"{source}\" hỏng hoặc mất: dùng danh sách mới nhất còn đúng chữ ký, vẫn không nhận danh sách cũ hơn\nkiểm tra thẻ nhớ",
        "the state file of source \"{source}\" is damaged or gone: the newest list whose signature holds is used, older ones are still refused\ncheck the memory card";
    /// A list from the future.
    ListIssuedAhead { source: String, issued_at: String } =>
        "danh sách của nguồn \"{source}\" ghi ngày ký {issued_at}, muộn hơn giờ máy này trên một ngày: không nhận\nbáo đơn vị gửi kiểm tra giờ máy tính; xem lại giờ của máy này",
        "the list of source \"{source}\" says it was issued at {issued_at}, over a day ahead of this machine's clock: refused\nask the sender to check their computer's clock; check this machine's clock";

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
