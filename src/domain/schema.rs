//! Every key of the station's files in one table, and the JSON Schema made of it, so that an editor completes keys,
//! explains them in Vietnamese and marks mistakes while they are typed. A test holds the table against the reader.

use serde_json::{Map, Value, json};

/// Which file a schema is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaOf {
    /// `station.toml`
    Station,
    /// `local.toml`
    Local,
    /// `playlist.toml`
    Playlist,
}

impl SchemaOf {
    /// Every one.
    pub const ALL: [SchemaOf; 3] = [SchemaOf::Station, SchemaOf::Local, SchemaOf::Playlist];

    /// The name on the command line and of the shipped file.
    pub fn name(self) -> &'static str {
        match self {
            SchemaOf::Station => "station",
            SchemaOf::Local => "local",
            SchemaOf::Playlist => "playlist",
        }
    }

    fn title(self) -> &'static str {
        match self {
            SchemaOf::Station => "station.toml: cấu hình của đài (loaxa)",
            SchemaOf::Local => "local.toml: danh sách của xã (loaxa)",
            SchemaOf::Playlist => "playlist.toml: danh sách của nơi gửi (loaxa)",
        }
    }
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    Text,
    Id,
    /// `SOURCE/ID` or a plain id.
    Reference,
    References,
    Time,
    Date,
    Dates,
    Moment,
    /// A date, or a moment.
    DateOrMoment,
    Days,
    Duration,
    Size,
    Months,
    Whole(i64, i64),
    Gain,
    Flag,
    Words(&'static [&'static str]),
    Texts,
    /// Times of a slot, one or several.
    At,
    Items,
    /// `"all"` or slots.
    Skip,
    /// Name to station ids.
    Groups,
    /// One table of this place.
    Table(&'static str),
    /// Tables of this place.
    Tables(&'static str),
}

/// A key: the table it stands in, its name, what it holds, whether it must be there, what it means.
type Key = (&'static str, &'static str, Holds, bool, &'static str);

const PRIORITY: Holds = Holds::Words(&["normal", "priority", "emergency", "thong_thuong", "uu_tien", "khan_cap"]);

const STATION: &[Key] = &[
    ("", "station", Holds::Table("[station]"), true, "Đài là ai"),
    ("", "state", Holds::Table("[state]"), false, "Nơi giữ dữ liệu"),
    (
        "",
        "source",
        Holds::Tables("[[source]]"),
        false,
        "Nơi được gửi danh sách xuống; hai nơi ngang nhau thì nơi viết trước được xét trước",
    ),
    ("", "local", Holds::Table("[local]"), false, "Danh sách và bài của xã"),
    ("", "output", Holds::Table("[output]"), false, "Âm thanh ra đâu"),
    ("", "daypart", Holds::Tables("[[daypart]]"), false, "Âm lượng theo giờ trong ngày"),
    ("", "quiet_hours", Holds::Table("[quiet_hours]"), false, "Giờ không phát loa hằng đêm; không ghi: 21:00-05:00"),
    ("", "quiet_also", Holds::Tables("[[quiet_also]]"), false, "Thêm giờ không phát loa: buổi trưa, ngày thi"),
    (
        "",
        "quiet_open",
        Holds::Tables("[[quiet_open]]"),
        false,
        "Một đêm được phát trong giờ cấm, tối đa 3 giờ, có người chịu trách nhiệm",
    ),
    ("", "time", Holds::Table("[time]"), false, "Khi nào tin đồng hồ của máy"),
    ("", "page", Holds::Table("[page]"), false, "Trang của đài trên trình duyệt; không ghi: không có trang"),
    ("", "log", Holds::Table("[log]"), false, "Nhật ký phát thanh"),
    ("[station]", "id", Holds::Id, true, "Mã của đài, không dấu, ví dụ xa-binh-minh; đổi thì phải khởi động lại"),
    ("[station]", "name", Holds::Text, true, "Tên đài in trong báo cáo"),
    ("[station]", "device_id", Holds::Id, false, "Mã của máy này khi đài có nhiều máy; không ghi: như id"),
    ("[station]", "timezone", Holds::Text, false, "Múi giờ; không ghi: Asia/Ho_Chi_Minh"),
    ("[station]", "language", Holds::Words(&["vi", "en"]), false, "Ngôn ngữ của thông báo: vi hoặc en"),
    ("[station]", "clusters", Holds::Whole(0, 100_000), false, "Số cụm loa, để ghi vào báo cáo"),
    ("[station]", "speakers", Holds::Whole(0, 100_000), false, "Số loa, để ghi vào báo cáo"),
    (
        "[state]",
        "dir",
        Holds::Text,
        false,
        "Thư mục nhật ký, bài và danh sách đã nhận; không ghi: /var/lib/loaxa; đổi thì phải khởi động lại",
    ),
    ("[state]", "clips_quota", Holds::Size, false, "Dung lượng tối đa cho bài nhận về, ví dụ \"4GB\""),
    ("[state]", "keep_aired", Holds::Months, false, "Giữ tệp âm thanh đã phát ít nhất, ví dụ \"6 months\""),
    ("[[source]]", "id", Holds::Id, true, "Mã của nơi gửi, ví dụ tinh"),
    ("[[source]]", "origin", Holds::Words(&["trung_uong", "tinh", "huyen", "xa", "thon"]), true, "Cấp của nơi gửi"),
    ("[[source]]", "url", Holds::Text, true, "Địa chỉ playlist.json của nơi gửi"),
    (
        "[[source]]",
        "public_keys",
        Holds::Texts,
        false,
        "Khóa công khai minisign (dòng bắt đầu bằng RW) do nơi gửi cung cấp; có root_keys thì không ghi",
    ),
    (
        "[[source]]",
        "root_keys",
        Holds::Texts,
        false,
        "Khóa gốc công khai của nơi gửi: keys.json do các khóa này ký cho biết khóa nào được ký danh sách; thay cho public_keys",
    ),
    ("[[source]]", "threshold", Holds::Whole(1, 16), false, "Cần bao nhiêu khóa gốc cùng ký keys.json; không ghi: 2"),
    ("[[source]]", "poll", Holds::Duration, false, "Bao lâu hỏi danh sách mới một lần, ví dụ \"15m\""),
    (
        "[[source]]",
        "urgent_poll",
        Holds::Duration,
        false,
        "Bao lâu hỏi tin khẩn (urgent.json) một lần, ví dụ \"30s\"; không ghi: không hỏi",
    ),
    (
        "[[source]]",
        "on_expiry",
        Holds::Words(&["stop", "keep"]),
        false,
        "Danh sách hết hạn thì ngừng phát bài trong đó (stop) hay vẫn phát (keep); không ghi: stop",
    ),
    (
        "[[source]]",
        "mirrors",
        Holds::Texts,
        false,
        "Địa chỉ playlist.json dự phòng, thử lần lượt khi url không trả lời",
    ),
    ("[[source]]", "slots", Holds::Flag, false, "true: nơi gửi được mở buổi riêng; false: chỉ gửi kèm và khẩn cấp"),
    (
        "[[source]]",
        "emergency",
        Holds::Flag,
        false,
        "true: thông báo khẩn cấp được phát cả trong giờ không phát loa; không ghi: false",
    ),
    (
        "[local]",
        "playlist",
        Holds::Text,
        false,
        "Tệp danh sách của xã, tính từ thư mục của station.toml; không ghi: local.toml",
    ),
    ("[local]", "clips", Holds::Text, false, "Thư mục bài của xã; không ghi: clips"),
    (
        "[local]",
        "emergency",
        Holds::Flag,
        false,
        "false: thông báo khẩn cấp của xã không được phát trong giờ không phát loa",
    ),
    (
        "[output]",
        "device",
        Holds::Text,
        false,
        "Tên ALSA (xem loaxa devices), \"null\" (câm) hoặc \"wav:TỆP\" (ghi vào tệp)",
    ),
    ("[output]", "gain_db", Holds::Gain, false, "Âm lượng chung, dB; 0 là nguyên, số âm là nhỏ đi"),
    ("[output]", "pre_roll", Holds::Duration, false, "Bật tăng âm trước giờ phát bao lâu, ví dụ \"2s\""),
    ("[output]", "on_start", Holds::Texts, false, "Lệnh bật tăng âm: chương trình và tham số, mỗi thứ một ô"),
    ("[output]", "on_stop", Holds::Texts, false, "Lệnh tắt tăng âm"),
    ("[[daypart]]", "from", Holds::Time, true, "Từ giờ, ví dụ \"05:00\""),
    ("[[daypart]]", "to", Holds::Time, true, "Đến giờ"),
    ("[[daypart]]", "gain_db", Holds::Gain, true, "Âm lượng thêm bớt trong khung giờ này, dB"),
    ("[quiet_hours]", "from", Holds::Time, false, "Từ giờ, ví dụ \"21:00\""),
    ("[quiet_hours]", "to", Holds::Time, false, "Đến giờ, ví dụ \"05:00\""),
    (
        "[quiet_hours]",
        "shorter_by",
        Holds::Text,
        false,
        "Văn bản cho phép rút ngắn giờ không phát loa (bắt buộc khi không trùm hết 21:00-05:00)",
    ),
    ("[[quiet_also]]", "from", Holds::Time, true, "Từ giờ"),
    ("[[quiet_also]]", "to", Holds::Time, true, "Đến giờ"),
    ("[[quiet_also]]", "days", Holds::Days, false, "Thứ, ví dụ \"T2-CN\""),
    ("[[quiet_also]]", "dates", Holds::Dates, false, "Ngày, ví dụ [\"2026-06-26\"]"),
    ("[[quiet_open]]", "date", Holds::Date, true, "Đêm của ngày này"),
    ("[[quiet_open]]", "from", Holds::Time, true, "Từ giờ"),
    ("[[quiet_open]]", "to", Holds::Time, true, "Đến giờ"),
    ("[[quiet_open]]", "by", Holds::Text, true, "Người chịu trách nhiệm"),
    (
        "[time]",
        "trust",
        Holds::Words(&["auto", "rtc", "always"]),
        false,
        "auto: theo mạng; rtc: máy có đồng hồ pin; always: chỉ để chạy thử",
    ),
    ("[time]", "hold", Holds::Duration, false, "Mất mạng bao lâu vẫn tin đồng hồ, ví dụ \"72h\""),
    ("[page]", "listen", Holds::Text, false, "Địa chỉ và cổng của trang, ví dụ \"127.0.0.1:8080\""),
    ("[page]", "hosts", Holds::Texts, false, "Tên máy khác được dùng để mở trang, chỉ tên, không có http:// và cổng"),
    ("[log]", "keep", Holds::Months, false, "Giữ nhật ký bao lâu, ví dụ \"24 months\""),
];

const LIST: &[Key] = &[
    ("", "source", Holds::Id, true, "Mã của nơi gửi"),
    ("", "stations", Holds::Texts, false, "Đài hoặc nhóm được nhận danh sách này; không ghi: tất cả"),
    ("", "groups", Holds::Groups, false, "Tên gọi chung cho nhiều đài"),
    ("", "format", Holds::Whole(1, 1), false, "Do loaxa publish tự ghi"),
    ("", "urgent", Holds::Flag, false, "Do loaxa publish --urgent tự ghi"),
    ("", "serial", Holds::Whole(1, i64::MAX), false, "Do loaxa publish tự ghi"),
    ("", "issued_at", Holds::Moment, false, "Do loaxa publish tự ghi"),
    ("", "expires_at", Holds::Moment, false, "Do loaxa publish tự ghi"),
    ("", "campaigns", Holds::Tables("[[campaigns]]"), false, "Đợt tuyên truyền"),
    ("", "clips", Holds::Tables("[[clips]]"), false, "Các bài"),
    ("", "rotations", Holds::Tables("[[rotations]]"), false, "Nhóm bài phát luân phiên"),
    ("", "offers", Holds::Tables("[[offers]]"), false, "Gửi kèm vào buổi của xã"),
    ("", "slots", Holds::Tables("[[slots]]"), false, "Buổi phát và giờ tiếp sóng"),
    ("", "special_days", Holds::Tables("[[special_days]]"), false, "Ngày không phát một số buổi"),
    ("", "withdrawals", Holds::Tables("[[withdrawals]]"), false, "Thu hồi, có hiệu lực ngay"),
    ("", "emergencies", Holds::Tables("[[emergencies]]"), false, "Thông báo khẩn cấp"),
    ("[[campaigns]]", "id", Holds::Id, true, "Mã của đợt"),
    ("[[campaigns]]", "title", Holds::Text, true, "Tên đợt tuyên truyền"),
    ("[[campaigns]]", "doc_number", Holds::Text, false, "Số, ký hiệu văn bản, ví dụ 647/TTCS-TQ"),
    ("[[campaigns]]", "doc_date", Holds::Date, false, "Ngày văn bản"),
    ("[[campaigns]]", "from", Holds::Date, false, "Ngày đầu"),
    ("[[campaigns]]", "to", Holds::Date, false, "Ngày cuối"),
    (
        "[[campaigns]]",
        "min_per_day",
        Holds::Whole(1, 1000),
        false,
        "Chỉ tiêu: số lượt phát đủ mỗi ngày, mọi chủ đề cộng lại",
    ),
    ("[[campaigns]]", "topics", Holds::Tables("topics"), false, "Các chủ đề"),
    ("topics", "id", Holds::Id, true, "Mã chủ đề"),
    ("topics", "title", Holds::Text, true, "Tên chủ đề"),
    ("topics", "min_per_day", Holds::Whole(1, 1000), false, "Chỉ tiêu riêng của chủ đề mỗi ngày"),
    ("[[clips]]", "id", Holds::Id, true, "Mã bài, dùng trong items"),
    ("[[clips]]", "file", Holds::Text, true, "Tệp âm thanh: mp3, ogg, flac, wav, m4a"),
    ("[[clips]]", "title", Holds::Text, true, "Tiêu đề in trong lịch, nhật ký và báo cáo"),
    (
        "[[clips]]",
        "kind",
        Holds::Words(&[
            "nhac_hieu",
            "loi_xuong",
            "nhac_cat",
            "nhac_ket",
            "ban_tin",
            "thong_bao",
            "chuyen_muc",
            "thong_diep",
            "ca_khuc",
        ]),
        true,
        "Loại bài; nhạc và lời xướng không cần duyệt",
    ),
    ("[[clips]]", "campaign", Holds::Reference, false, "Thuộc đợt tuyên truyền nào; đợt của tỉnh viết tinh/MÃ"),
    ("[[clips]]", "topic", Holds::Reference, false, "Thuộc chủ đề nào của đợt"),
    ("[[clips]]", "priority", PRIORITY, false, "Mức ưu tiên"),
    ("[[clips]]", "approved_by", Holds::Text, false, "Người duyệt; thiếu thì bài không phát"),
    ("[[clips]]", "approved_at", Holds::DateOrMoment, false, "Ngày duyệt; thiếu thì bài không phát"),
    ("[[clips]]", "approved_doc", Holds::Text, false, "Văn bản duyệt"),
    ("[[clips]]", "gain_db", Holds::Gain, false, "Âm lượng riêng của bài, dB"),
    (
        "[[clips]]",
        "duration_ms",
        Holds::Whole(1, 86_400_000),
        false,
        "Thời lượng tính bằng mili giây; máy tự đo, chỉ ghi khi chưa có tệp",
    ),
    ("[[clips]]", "url", Holds::Text, false, "Do loaxa publish tự ghi"),
    ("[[clips]]", "sha256", Holds::Text, false, "Do loaxa publish tự ghi"),
    ("[[clips]]", "bytes", Holds::Whole(1, i64::MAX), false, "Do loaxa publish tự ghi"),
    ("[[rotations]]", "id", Holds::Id, true, "Mã nhóm luân phiên"),
    ("[[rotations]]", "clips", Holds::References, true, "Các bài, phát lần lượt"),
    ("[[rotations]]", "from", Holds::Date, true, "Ngày bắt đầu đếm lượt"),
    ("[[offers]]", "id", Holds::Id, true, "Mã mục gửi kèm"),
    ("[[offers]]", "items", Holds::Items, true, "Các bài; vào trọn buổi hoặc không vào"),
    ("[[offers]]", "priority", PRIORITY, false, "Mức ưu tiên; priority trở lên tự vào chỗ dành sẵn"),
    ("[[offers]]", "from", Holds::Date, false, "Ngày đầu"),
    ("[[offers]]", "to", Holds::Date, false, "Ngày cuối"),
    ("[[offers]]", "days", Holds::Days, false, "Thứ, ví dụ \"T2-T6\""),
    ("[[offers]]", "except", Holds::Dates, false, "Bỏ các ngày này"),
    (
        "[[offers]]",
        "sessions_per_day",
        Holds::Whole(1, 1000),
        false,
        "Chỉ vào chừng này buổi đầu mỗi ngày; không ghi: mọi buổi",
    ),
    ("[[offers]]", "stations", Holds::Texts, false, "Đài hoặc nhóm được nhận"),
    ("items", "clip", Holds::Reference, false, "Một bài"),
    ("items", "rotation", Holds::Reference, false, "Bài kế tiếp của nhóm luân phiên"),
    ("items", "offer", Holds::Reference, false, "Một mục gửi kèm, gọi đích danh"),
    ("items", "offers", PRIORITY, false, "Chỗ dành cho bài cấp trên gửi từ mức này trở lên"),
    ("items", "from", Holds::Date, false, "Từ ngày"),
    ("items", "to", Holds::Date, false, "Đến ngày"),
    ("items", "days", Holds::Days, false, "Thứ"),
    ("items", "except", Holds::Dates, false, "Bỏ các ngày này"),
    ("[[slots]]", "id", Holds::Id, true, "Mã buổi"),
    ("[[slots]]", "name", Holds::Text, false, "Tên buổi; không ghi: như id"),
    (
        "[[slots]]",
        "kind",
        Holds::Words(&["session", "relay", "tiep_song"]),
        false,
        "session: buổi phát; relay: tiếp sóng",
    ),
    (
        "[[slots]]",
        "at",
        Holds::At,
        false,
        "Giờ bắt đầu: \"05:30\", nhiều giờ [\"05:30\", \"17:00\"], hoặc một lần \"2022-10-05T17:00\"",
    ),
    ("[[slots]]", "cron", Holds::Text, false, "Cách viết khác của giờ: phút giờ ngày tháng thứ (thứ bằng tên)"),
    ("[[slots]]", "days", Holds::Days, false, "Thứ, ví dụ \"T2-T6\" hoặc \"T7,CN\""),
    ("[[slots]]", "from", Holds::Date, false, "Ngày đầu"),
    ("[[slots]]", "to", Holds::Date, false, "Ngày cuối"),
    ("[[slots]]", "except", Holds::Dates, false, "Bỏ các ngày này"),
    ("[[slots]]", "items", Holds::Items, false, "Các bài theo thứ tự"),
    ("[[slots]]", "start", Holds::Words(&["hard", "soft"]), false, "hard: ngắt buổi ngang hàng; soft: chờ"),
    ("[[slots]]", "wait_up_to", Holds::Duration, false, "Chờ buổi khác tối đa, ví dụ \"5m\""),
    ("[[slots]]", "late", Holds::Duration, false, "Được bắt đầu muộn tối đa, ví dụ \"2m\""),
    ("[[slots]]", "max_length", Holds::Duration, false, "Buổi dài tối đa, ví dụ \"15m\""),
    ("[[slots]]", "length", Holds::Duration, false, "Độ dài tiếp sóng, ví dụ \"15m\" (chỉ khi kind = \"relay\")"),
    ("[[slots]]", "priority", PRIORITY, false, "Mức ưu tiên của buổi"),
    ("[[slots]]", "resume", Holds::Flag, false, "true: bài bị ngắt được phát tiếp phần còn lại"),
    ("[[slots]]", "gain_db", Holds::Gain, false, "Âm lượng riêng của buổi, dB"),
    ("[[slots]]", "stations", Holds::Texts, false, "Đài hoặc nhóm được nhận"),
    ("[[special_days]]", "dates", Holds::Dates, true, "Các ngày"),
    ("[[special_days]]", "skip", Holds::Skip, true, "Bỏ các buổi này, hoặc \"all\" là mọi buổi"),
    ("[[special_days]]", "stations", Holds::Texts, false, "Đài hoặc nhóm được nhận"),
    ("[[withdrawals]]", "clip", Holds::Reference, false, "Thu hồi một bài"),
    ("[[withdrawals]]", "offer", Holds::Reference, false, "Thu hồi một mục gửi kèm"),
    ("[[withdrawals]]", "slot", Holds::Reference, false, "Thu hồi một buổi"),
    ("[[withdrawals]]", "emergency", Holds::Reference, false, "Thu hồi một thông báo khẩn cấp"),
    ("[[withdrawals]]", "at", Holds::Moment, false, "Từ lúc nào; không ghi: ngay khi nhận được"),
    ("[[withdrawals]]", "by", Holds::Text, false, "Ai quyết định"),
    ("[[withdrawals]]", "why", Holds::Text, false, "Lý do"),
    ("[[emergencies]]", "id", Holds::Id, true, "Mã thông báo"),
    ("[[emergencies]]", "clip", Holds::Reference, true, "Bài phát"),
    ("[[emergencies]]", "from", Holds::Moment, true, "Từ lúc, ví dụ \"2022-10-08T17:06:00+07:00\""),
    ("[[emergencies]]", "until", Holds::Moment, true, "Đến trước lúc"),
    ("[[emergencies]]", "repeat", Holds::Whole(1, 100), false, "Số lần phát liền nhau mỗi lượt"),
    ("[[emergencies]]", "gap", Holds::Duration, false, "Nghỉ giữa hai lần, ví dụ \"10s\""),
    ("[[emergencies]]", "every", Holds::Duration, false, "Lặp lại mỗi lượt sau, ví dụ \"10m\"; không ghi: một lượt"),
    ("[[emergencies]]", "stations", Holds::Texts, false, "Đài hoặc nhóm được nhận"),
];

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

const DATE: &str = r"^\d{4}-\d{2}-\d{2}$";
const MOMENT: &str = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}";
const TIME: &str = r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$";

/// One value or a list of such.
fn one_or_several(one: Value) -> Value {
    json!({ "anyOf": [one.clone(), { "type": "array", "items": one }] })
}

fn value(of: SchemaOf, holds: Holds) -> Value {
    let reference = || json!({ "type": "string", "minLength": 1 });
    match holds {
        Holds::Text => json!({ "type": "string", "minLength": 1 }),
        Holds::Id => text(r#"^[^./\\:*?"<>|\s][^/\\:*?"<>|\s]{0,63}$"#),
        Holds::Reference => reference(),
        Holds::References => json!({ "type": "array", "items": reference(), "minItems": 1 }),
        Holds::Time => text(TIME),
        Holds::Date => text(DATE),
        Holds::Dates => one_or_several(text(DATE)),
        Holds::Moment => text(MOMENT),
        Holds::DateOrMoment => json!({ "anyOf": [text(DATE), text(MOMENT)] }),
        Holds::Days => one_or_several(json!({ "type": "string", "minLength": 2 })),
        Holds::Duration => text(r"^(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$"),
        Holds::Size => text(r"^\d+(\.\d+)?\s*[kKMGT]?i?B$"),
        Holds::Months => text(r"^\d+ (months?|years?|tháng|năm)$"),
        Holds::Whole(min, max) if max == i64::MAX => json!({ "type": "integer", "minimum": min }),
        Holds::Whole(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Holds::Gain => json!({ "type": "number", "minimum": -60, "maximum": 20 }),
        Holds::Flag => json!({ "type": "boolean" }),
        Holds::Words(words) => json!({ "enum": words }),
        Holds::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Holds::At => one_or_several(json!({ "anyOf": [text(TIME), text(MOMENT)] })),
        Holds::Items => {
            json!({ "type": "array", "minItems": 1, "items": { "anyOf": [reference(), table(of, "items")] } })
        }
        Holds::Skip => one_or_several(reference()),
        Holds::Groups => {
            json!({ "type": "object", "additionalProperties": { "type": "array", "items": { "type": "string" } } })
        }
        Holds::Table(place) => table(of, place),
        Holds::Tables(place) => json!({ "type": "array", "items": table(of, place) }),
    }
}

fn keys(of: SchemaOf) -> &'static [Key] {
    if of == SchemaOf::Station { STATION } else { LIST }
}

fn table(of: SchemaOf, place: &str) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (stands_in, key, holds, needed, meaning) in keys(of) {
        // The commune's own list has no sender.
        if *stands_in != place || (of == SchemaOf::Local && place.is_empty() && *key == "source") {
            continue;
        }
        let mut value = value(of, *holds);
        value["description"] = (*meaning).into();
        properties.insert((*key).to_owned(), value);
        if *needed {
            required.push(*key);
        }
    }
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        table["required"] = required.into();
    }
    table
}

/// The JSON Schema of a file.
pub fn schema(of: SchemaOf) -> Value {
    let mut whole = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "title": of.title() });
    if let (Value::Object(whole), Value::Object(table)) = (&mut whole, table(of, "")) {
        whole.extend(table);
    }
    whole
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::config::read_config;
    use crate::domain::fields::asked_so_far;
    use crate::domain::playlist::{Form, read_list};

    fn of_table(keys: &[Key]) -> BTreeSet<(String, String)> {
        keys.iter().map(|(place, key, ..)| ((*place).to_owned(), (*key).to_owned())).collect()
    }

    fn of_reader() -> BTreeSet<(String, String)> {
        // Topics name their place by an example.
        let place = |p: &str| if p.starts_with("topics") { "topics".to_owned() } else { p.to_owned() };
        asked_so_far().into_iter().map(|(p, key)| (place(p), key.to_owned())).collect()
    }

    #[test]
    fn the_table_has_the_keys_that_the_readers_know() {
        asked_so_far();
        read_config(include_bytes!("config/whole.toml"), false);
        assert_eq!(of_table(STATION), of_reader());
        read_list(include_bytes!("playlist/whole.toml"), Form::Handwritten);
        assert_eq!(of_table(LIST), of_reader());
    }

    #[test]
    fn every_place_named_is_there_and_every_key_explained() {
        for of in SchemaOf::ALL {
            for (_, key, holds, _, meaning) in keys(of) {
                assert!(meaning.chars().count() > 2, "{key}");
                if let Holds::Table(place) | Holds::Tables(place) = holds {
                    assert!(keys(of).iter().any(|k| k.0 == *place), "{place}");
                }
            }
        }
        assert!(schema(SchemaOf::Local)["properties"]["source"].is_null());
    }
}
