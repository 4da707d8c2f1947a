//! Every sentence a person reads, in Vietnamese and English, in one place. A sentence that is missing in one
//! language does not compile. Official Vietnamese, short verbs; the words are those of `docs/words.md`.
//!
//! A message says what was tried, on what, why it failed and what to do: lower case, no full stop, the object in
//! quotes, the cause after a colon, the way out on a line of its own.

use crate::domain::airing::{Outcome, Reason};
use crate::domain::config::{Language, Origin};
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

            /// Every sentence once, in the order of this file, with samples for what goes into it.
            #[cfg(test)]
            fn samples() -> Vec<Text> {
                vec![ $( Text::$name { $($field: tests::Sample::sample(stringify!($field))),* }, )* ]
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
    /// How a finding begins.
    SeverityError {} => "lỗi", "error";
    /// How a finding begins.
    SeverityWarning {} => "cảnh báo", "warning";
    /// How a finding begins.
    SeverityAdvice {} => "lời khuyên", "advice";
    /// How the way out begins.
    HintWord {} => "cách sửa", "fix";
    // The form of the file.
    FileTooLarge { megabytes: usize, limit: usize } =>
        "tệp quá lớn: {megabytes} MB, chỉ đọc tối đa {limit} MB",
        "the file is too large: {megabytes} MB, at most {limit} MB are read";
    FileIsUtf16 {} => "tệp được lưu theo mã UTF-16, không phải UTF-8", "the file is saved as UTF-16, not UTF-8";
    FileNotUtf8 { byte: String } =>
        "tệp không theo mã UTF-8 (ký tự mã {byte} ở đây): có thể là TCVN3, VNI hoặc mã Windows",
        "the file is not UTF-8 (byte {byte} here): it may be TCVN3, VNI or a Windows code page";
    SaveAsUtf8 {} =>
        "mở tệp bằng Notepad, chọn Lưu dưới dạng (Save As), ở ô Mã hóa (Encoding) chọn UTF-8; chữ gõ bằng phông TCVN3 hoặc VNI thì gõ lại bằng Unicode",
        "open it in Notepad, choose Save As and set Encoding to UTF-8; text typed in a TCVN3 or VNI font must be typed again in Unicode";
    SmartQuote { found: char, write: char } =>
        "dấu nháy cong {found} không dùng được ở đây", "the curly quote {found} cannot stand here";
    OddSign { found: char, write: char } => "ký tự {found} không dùng được ở đây", "the character {found} cannot stand here";
    OddSpace {} => "dấu cách đặc biệt (thường do chép từ Word hoặc trang web)", "a special space (often copied from Word or a web page)";
    InvisibleCharacter {} =>
        "ký tự không nhìn thấy (thường do chép từ Word, trang web hoặc Zalo)",
        "an invisible character (often copied from Word, a web page or a chat)";
    WriteSign { write: char } => "xóa ký tự đó và gõ lại bằng bàn phím: {write}", "delete it and type this on the keyboard: {write}";
    TypeSpaceAgain {} => "xóa chỗ đó và gõ lại dấu cách bằng bàn phím", "delete it and type a space on the keyboard";
    DecimalComma { text: String } => "số \"{text}\" dùng dấu phẩy", "the number \"{text}\" has a decimal comma";
    DuplicateKey { key: String } => "khóa \"{key}\" viết hai lần trong cùng một bảng", "the key \"{key}\" stands twice in one table";
    DuplicateTable { name: String } => "bảng \"{name}\" viết hai lần", "the table \"{name}\" stands twice";
    OneTableOnly { name: String } =>
        "gộp hai bảng làm một; nếu là danh sách nhiều mục thì viết [[{name}]] cho từng mục",
        "join the two; where several entries are meant, write [[{name}]] above each";
    RemoveOne {} => "xóa bớt một", "remove one of them";
    RemoveLine {} => "xóa khóa này", "remove this key";
    UnclosedTable {} => "tên bảng thiếu dấu ngoặc vuông đóng", "the table name lacks a closing bracket";
    UnclosedList {} => "danh sách thiếu dấu ] đóng", "the list lacks a closing ]";
    CloseList {} => "thêm ] vào cuối danh sách, ví dụ [\"a\", \"b\"]", "put a ] at the end of the list, as in [\"a\", \"b\"]";
    UnclosedBraces {} => "thiếu dấu }} đóng", "a closing }} is missing";
    CloseBraces {} =>
        "thêm }} vào cuối, ví dụ {{ clip = \"luat\", days = \"T2\" }}",
        "put a }} at the end, as in {{ clip = \"luat\", days = \"T2\" }}";
    MissingComma {} => "thiếu dấu phẩy", "a comma is missing";
    CommaOrClose {} =>
        "đặt dấu phẩy giữa hai mục, hoặc ] nếu danh sách đã hết: [\"a\", \"b\"]",
        "put a comma between two entries, or a ] where the list ends: [\"a\", \"b\"]";
    CommaBetween {} =>
        "đặt dấu phẩy giữa hai mục: {{ clip = \"luat\", days = \"T2\" }}",
        "put a comma between two entries: {{ clip = \"luat\", days = \"T2\" }}";
    UnclosedQuote {} => "thiếu một dấu nháy", "a quote is missing";
    CommentOrKey {} =>
        "nếu là ghi chú, thêm # ở đầu dòng; nếu không, viết dạng khóa = \"giá trị\"",
        "put # in front of a comment; else write key = \"value\"";
    KeyWithMarks { key: String } => "khóa \"{key}\" có ký tự không dùng được", "the key \"{key}\" has characters that cannot be used";
    DeleteIt {} => "xóa ký tự đó (đặt con trỏ ngay sau nó rồi bấm Backspace)", "delete it (put the cursor behind it and press Backspace)";
    Backslash {} => "dấu \\ trong chữ có nghĩa đặc biệt", "a \\ in a text has a special meaning";
    SlashInstead {} => "trong đường dẫn viết / thay cho \\", "in a path write / in place of \\";
    Unquoted { text: String } => "\"{text}\" phải đặt trong dấu nháy", "\"{text}\" needs quotes";
    MissingEquals {} => "thiếu dấu = giữa khóa và giá trị", "a = is missing between key and value";
    MissingValue { key: String } => "dòng \"{key}\" không có giá trị", "the line \"{key}\" has no value";
    Syntax { message: String } => "không đọc được chỗ này ({message})", "this cannot be read ({message})";
    SyntaxForm {} =>
        "mỗi dòng có dạng khóa = \"giá trị\", tên bảng có dạng [bảng] hoặc [[bảng]], ghi chú bắt đầu bằng #",
        "each line reads key = \"value\", a table name [table] or [[table]], a comment begins with #";
    JsonSyntax { message: String } => "danh sách JSON không đọc được ({message})", "the JSON list cannot be read ({message})";
    WantObject {} => "danh sách JSON phải là một đối tượng {{ ... }}", "a JSON list must be an object {{ ... }}";
    TooDeep { limit: usize } => "các bảng lồng nhau quá {limit} lớp", "tables stand more than {limit} deep in each other";
    // Keys.
    UnknownKey { key: String, place: String } => "không có khóa \"{key}\" trong {place}", "there is no key \"{key}\" in {place}";
    UnknownKeyTop { key: String } => "không có khóa hoặc bảng \"{key}\"", "there is no key or table \"{key}\"";
    MissingKey { key: String, place: String } => "{place} thiếu khóa \"{key}\"", "{place} lacks the key \"{key}\"";
    MissingKeyTop { key: String } => "tệp thiếu \"{key}\"", "the file lacks \"{key}\"";
    WriteKey { key: String } => "viết \"{key}\"", "write \"{key}\"";
    KnownKeys { keys: String } => "các khóa dùng được ở đây: {keys}", "keys known here: {keys}";
    KeyBelongs { key: String, place: String } => "chuyển dòng \"{key}\" vào bảng {place}", "move the line \"{key}\" into {place}";
    KeyBelongsTop { key: String } =>
        "chuyển dòng \"{key}\" lên đầu tệp, trước bảng đầu tiên",
        "move the line \"{key}\" to the top of the file, before the first table";
    AddLine { line: String } => "thêm {line}", "add {line}";
    WriteLine { line: String } => "viết {line}", "write {line}";
    // Kinds of values.
    WantText { key: String } => "giá trị của \"{key}\" phải là chữ trong dấu nháy", "\"{key}\" takes a text in quotes";
    WantWhole { key: String } => "giá trị của \"{key}\" phải là số nguyên", "\"{key}\" takes a whole number";
    WantNumber { key: String } => "giá trị của \"{key}\" phải là số, không có dấu nháy", "\"{key}\" takes a number without quotes";
    WantFlag { key: String } => "giá trị của \"{key}\" phải là true hoặc false", "\"{key}\" takes true or false";
    WantTexts { key: String } => "giá trị của \"{key}\" phải là danh sách chữ trong dấu [ ]", "\"{key}\" takes a list of texts in [ ]";
    WantTable { key: String } => "\"{key}\" phải là một bảng", "\"{key}\" must be a table";
    WantTables { key: String } =>
        "\"{key}\" là danh sách nhiều mục: tên bảng phải có hai dấu ngoặc vuông",
        "\"{key}\" is a list of entries: its table name takes two brackets";
    OneTable { key: String } =>
        "\"{key}\" chỉ có một: tên bảng chỉ có một dấu ngoặc vuông",
        "there is only one \"{key}\": its table name takes single brackets";
    WantItem {} => "mục phải là mã bài trong dấu nháy hoặc bảng {{ ... }}", "an item is a clip id in quotes or a table {{ ... }}";
    EmptyText { key: String } => "giá trị của \"{key}\" để trống", "\"{key}\" is empty";
    EmptyList { key: String } => "danh sách \"{key}\" để trống", "the list \"{key}\" is empty";
    OutOfRange { key: String, text: String, min: i64, max: i64 } =>
        "giá trị {text} của \"{key}\" ngoài khoảng cho phép: từ {min} đến {max}",
        "{text} is out of range for \"{key}\": from {min} to {max}";
    BadTime { text: String } => "không có giờ \"{text}\"", "there is no time \"{text}\"";
    TimeForm {} => "viết giờ dạng \"05:30\", từ \"00:00\" đến \"23:59\"", "write a time as \"05:30\", from \"00:00\" to \"23:59\"";
    BadDate { text: String } => "không có ngày \"{text}\"", "there is no date \"{text}\"";
    DateForm {} =>
        "viết ngày dạng \"2022-10-05\" (năm-tháng-ngày), đúng số ngày của tháng",
        "write a date as \"2022-10-05\" (year-month-day), with a day that the month has";
    WriteDate { date: String } => "viết \"{date}\" (năm-tháng-ngày)", "write \"{date}\" (year-month-day)";
    BadMoment { text: String } => "không đọc được thời điểm \"{text}\"", "the moment \"{text}\" cannot be read";
    MomentForm {} => "viết dạng \"2022-10-05T17:00\" (năm-tháng-ngàyTgiờ:phút)", "write it as \"2022-10-05T17:00\" (year-month-dayThour:minute)";
    InstantForm {} =>
        "viết dạng \"2022-10-05T08:10:00+07:00\" (năm-tháng-ngàyTgiờ:phút:giây+múi giờ)",
        "write it as \"2022-10-05T08:10:00+07:00\" (year-month-dayThour:minute:second+offset)";
    BadDuration { text: String } => "thời lượng \"{text}\" không đọc được: thiếu đơn vị hoặc sai dạng", "the length \"{text}\" cannot be read: no unit, or another form";
    WriteDuration { line: String } =>
        "viết {line} (s: giây, m: phút, h: giờ, d: ngày)",
        "write {line} (s: seconds, m: minutes, h: hours, d: days)";
    DurationRange { key: String, text: String, min: String, max: String } =>
        "thời lượng \"{text}\" của \"{key}\" ngoài khoảng cho phép: từ {min} đến {max}",
        "the length \"{text}\" is out of range for \"{key}\": from {min} to {max}";
    BadMonths { text: String } => "\"{text}\" không phải là số tháng", "\"{text}\" is no number of months";
    BadSize { text: String } => "\"{text}\" không phải là dung lượng", "\"{text}\" is no size";
    BadDays { text: String } => "không có thứ \"{text}\"", "there is no weekday \"{text}\"";
    DaysForm {} =>
        "viết T2, T3, T4, T5, T6, T7, CN; từ thứ Hai đến thứ Sáu là \"T2-T6\", nhiều ngày rời là \"T2,T4\"",
        "write T2 to T7 and CN, or MON to SUN: \"MON-FRI\", \"MON,WED\"";
    WriteDays { line: String } => "viết {line} (T2: thứ Hai, CN: Chủ nhật)", "write {line} (T2: Monday, CN: Sunday)";
    BadChoice { key: String, text: String } => "\"{key}\" không nhận giá trị \"{text}\"", "\"{key}\" does not take \"{text}\"";
    Choose { words: String } => "chọn một trong: {words}", "choose one of: {words}";
    BadId { id: String } => "mã \"{id}\" không dùng được", "the id \"{id}\" cannot be used";
    IdForm {} =>
        "mã dài tối đa 64 ký tự, gồm chữ, số, dấu - và _, không có / \\ : * ? \" < > | và không bắt đầu bằng dấu chấm",
        "an id has at most 64 characters: letters, digits, - and _; no / \\ : * ? \" < > | and no dot in front";
    BadPath { path: String } => "đường dẫn \"{path}\" không nằm trong thư mục bài", "the path \"{path}\" does not stay inside the folder of clips";
    PathForm {} =>
        "viết tên tệp, hoặc đường dẫn trong thư mục với dấu /, không có .. và không bắt đầu bằng /",
        "write the file's name, or a path inside the folder with /, without .. and without a / in front";
    MoveFile { line: String, name: String } =>
        "chép tệp \"{name}\" vào thư mục bài rồi viết {line}",
        "copy the file \"{name}\" into the folder of clips and write {line}";
    BadHash {} => "sha256 phải gồm 64 chữ số thập lục phân", "sha256 must be 64 hexadecimal digits";
    DuplicateId { id: String, line: usize } => "mã \"{id}\" đã dùng ở dòng {line}", "the id \"{id}\" is already used on line {line}";
    OtherId {} => "đặt mã khác, hoặc xóa bớt một mục", "choose another id, or remove one of the entries";
    LocalIsTaken {} => "mã \"local\" dành cho danh sách của xã", "the id \"local\" belongs to the commune's own list";
    // References.
    UnknownClip { id: String } => "không có bài \"{id}\" trong danh sách này", "this list has no clip \"{id}\"";
    UnknownRotation { id: String } => "không có nhóm luân phiên \"{id}\" trong danh sách này", "this list has no rotation \"{id}\"";
    UnknownOffer { id: String } => "không có mục gửi kèm \"{id}\" trong danh sách này", "this list has no offer \"{id}\"";
    UnknownSlot { id: String } => "không có buổi phát \"{id}\" trong danh sách này", "this list has no slot \"{id}\"";
    UnknownCampaign { id: String } => "không có đợt tuyên truyền \"{id}\" trong danh sách này", "this list has no campaign \"{id}\"";
    UnknownTopic { id: String } => "đợt tuyên truyền này không có chủ đề \"{id}\"", "this campaign has no topic \"{id}\"";
    UnknownEmergency { id: String } => "không có thông báo khẩn cấp \"{id}\" trong danh sách này", "this list has no emergency \"{id}\"";
    UnknownSource { id: String } => "không có đơn vị gửi \"{id}\" trong station.toml", "station.toml has no source \"{id}\"";
    WriteId { id: String } => "viết \"{id}\"", "write \"{id}\"";
    KnownIds { ids: String } => "các mã có ở đây: {ids}; mã của đơn vị gửi khác viết ĐƠN-VỊ/MÃ", "ids declared here: {ids}; another source's is written SOURCE/ID";
    NoneDeclared {} =>
        "ở đây chưa khai báo mục nào loại này; mã của đơn vị gửi khác viết ĐƠN-VỊ/MÃ",
        "nothing of this kind is declared here; another source's id is written SOURCE/ID";
    TopicAlone { topic: String } => "chủ đề \"{topic}\" không thuộc đợt tuyên truyền nào", "the topic \"{topic}\" belongs to no campaign";
    OthersEntry {} =>
        "danh sách của đơn vị gửi chỉ được bỏ buổi và thu hồi mục của chính mình",
        "a source's list skips and withdraws only what is its own";
    LocalFromAbove { id: String } =>
        "\"local/{id}\" là của từng xã: danh sách của đơn vị gửi không dùng được",
        "\"local/{id}\" belongs to each commune: a source's list cannot use it";
    // Lists.
    SourceInLocal {} => "danh sách của xã không có khóa \"source\"", "the commune's own list has no key \"source\"";
    PublishWrites { key: String } => "\"{key}\" do lệnh loaxa publish tự ghi: giá trị ở đây không dùng đến", "\"{key}\" is written by loaxa publish: the value here is not used";
    FormatUnknown { format: i64 } => "không biết dạng danh sách số {format}", "list format {format} is unknown";
    UpdateLoaxa {} => "cập nhật loaxa trên máy này", "update loaxa on this machine";
    ExpiresBeforeIssued {} => "danh sách hết hạn trước khi phát hành", "the list expires before it is issued";
    LifeTooLong { days: i64, limit: i64 } =>
        "thời hạn của danh sách là {days} ngày, tối đa {limit} ngày",
        "the list lives for {days} days, at most {limit} are allowed";
    ShorterLife {} => "phát hành lại với --expires ngắn hơn, ví dụ --expires 31d", "publish again with a shorter --expires, as --expires 31d";
    NotApproved { id: String } =>
        "bài \"{id}\" chưa được duyệt: sẽ không phát",
        "the clip \"{id}\" is not approved: it will not air";
    OfferInOffer {} => "mục gửi kèm chỉ chứa bài và nhóm luân phiên", "an offer holds only clips and rotations";
    ItemNamesNothing {} => "mục này không nói phát gì: thiếu clip, rotation, offer hoặc offers", "this item does not say what to play: clip, rotation, offer or offers is missing";
    ItemNamesTwo {} => "mục này nói hai thứ: chỉ viết một trong clip, rotation, offer, offers", "this item says two things: write only one of clip, rotation, offer, offers";
    AtAndCron {} => "buổi phát có cả \"at\" và \"cron\"", "the slot has both \"at\" and \"cron\"";
    DaysWithCron {} => "\"days\" không dùng cùng \"cron\": thứ nằm trong cron", "\"days\" does not go with \"cron\": cron has its own weekdays";
    DaysAndDates {} => "chỉ viết một trong \"days\" và \"dates\"", "write only one of \"days\" and \"dates\"";
    TimeTwice { text: String } => "giờ {text} viết hai lần", "the time {text} stands twice";
    RelayHasItems {} => "buổi tiếp sóng không có \"items\"", "a relay has no \"items\"";
    NoEffectOnRelay { key: String } => "\"{key}\" không có tác dụng với buổi tiếp sóng", "\"{key}\" has no effect on a relay";
    LengthOfSession {} => "\"length\" chỉ dùng cho buổi tiếp sóng", "\"length\" is only for a relay";
    MaxLengthOrRelay {} =>
        "viết \"max_length\" để giới hạn buổi phát, hoặc thêm kind = \"relay\" nếu là tiếp sóng",
        "write \"max_length\" to limit a session, or add kind = \"relay\" where a relay is meant";
    ToBeforeFrom { from: String, to: String } => "ngày cuối {to} trước ngày đầu {from}", "the last day {to} is before the first day {from}";
    UntilBeforeFrom {} => "\"until\" không sau \"from\"", "\"until\" is not after \"from\"";
    SwapFromTo {} => "đổi chỗ hai giá trị, hoặc sửa cái sai", "swap the two, or mend the wrong one";
    NoDateLeft {} => "không còn ngày nào: \"from\", \"to\", \"days\" và \"except\" loại trừ nhau", "no date is left: \"from\", \"to\", \"days\" and \"except\" rule each other out";
    NeverFires { id: String } => "buổi phát \"{id}\" không bao giờ đến: không ngày nào hợp với \"from\", \"to\", \"days\", \"except\"", "the slot \"{id}\" never comes: no date fits \"from\", \"to\", \"days\" and \"except\"";
    OnceOutside { text: String } => "thời điểm {text} nằm ngoài \"from\", \"to\", \"days\" hoặc trong \"except\": không bao giờ đến", "{text} is outside \"from\", \"to\" and \"days\" or within \"except\": it never comes";
    OnceAlone {} => "bỏ các khóa giới hạn ngày, hoặc sửa ngày", "remove the keys that limit the days, or mend the date";
    LookAtDates {} => "xem lại ngày và thứ", "look at the dates and weekdays again";
    WithdrawsNothing {} => "không nói thu hồi gì: thiếu clip, offer, slot hoặc emergency", "it does not say what is withdrawn: clip, offer, slot or emergency is missing";
    WithdrawsTwo {} => "chỉ viết một trong clip, offer, slot, emergency cho mỗi lần thu hồi", "write only one of clip, offer, slot, emergency in a withdrawal";
    // Cron.
    CronFields { found: usize } => "cron có {found} phần, cần 5 phần (phút giờ ngày tháng thứ) hoặc 6 phần (thêm giây ở đầu)", "cron has {found} fields, it takes 5 (minute hour day month weekday) or 6 (seconds first)";
    CronForm {} =>
        "viết phút giờ ngày tháng thứ, ví dụ cron = \"30 5 * * T2-T6\" là 05:30 từ thứ Hai đến thứ Sáu; hoặc dùng at và days",
        "write minute hour day month weekday: cron = \"30 5 * * MON-FRI\" is 05:30 from Monday to Friday; or use at and days";
    CronOrAt { line: String, at: String } => "viết {at}, hoặc {line} (phút trước, giờ sau)", "write {at}, or {line} (minute first, then hour)";
    CronDigit { text: String } =>
        "thứ trong cron viết bằng số (\"{text}\"): mỗi nơi hiểu một khác, nên không nhận",
        "the weekday in cron is a digit (\"{text}\"): it means another day in every dialect and is not taken";
    CronDays { line: String } => "viết thứ bằng tên: {line}", "write weekdays by name: {line}";
    CronBothDays { day: String, weekday: String } =>
        "cron vừa chọn ngày (\"{day}\") vừa chọn thứ (\"{weekday}\"): không rõ là \"và\" hay \"hoặc\"",
        "cron picks a day of the month (\"{day}\") and a weekday (\"{weekday}\"): is it \"and\" or \"or\"?";
    CronEither { first: String, second: String } => "để một trong hai là *: {first} hoặc {second}", "make one of them *: {first} or {second}";
    CronPart { text: String, min: u32, max: u32 } => "phần \"{text}\" trong cron sai: cần từ {min} đến {max}", "the field \"{text}\" in cron is wrong: it takes {min} to {max}";
    CronNever { cron: String } => "cron \"{cron}\" không bao giờ đến: không có ngày đó trong lịch", "cron \"{cron}\" never comes: the calendar has no such date";
    CronMeans { cron: String, means: String } => "cron \"{cron}\" là {means}: phút viết trước, giờ viết sau", "cron \"{cron}\" means {means}: the minute stands first, then the hour";
    CronWrite { line: String, at: String, meant: String } => "nếu muốn {meant}, viết {at} hoặc {line}", "for {meant} write {at} or {line}";
    // The station's config.
    BadTimezone { text: String } => "không có múi giờ \"{text}\"", "there is no time zone \"{text}\"";
    BadUrl { text: String } => "địa chỉ \"{text}\" không dùng được: phải bắt đầu bằng https:// hoặc http://", "the address \"{text}\" cannot be used: it must begin with https:// or http://";
    BadPublicKey {} => "khóa công khai không đúng dạng minisign", "this is no minisign public key";
    PublicKeyForm {} => "chép nguyên dòng bắt đầu bằng RW (56 ký tự) mà đơn vị gửi cung cấp", "copy the whole line beginning with RW (56 characters) that the sender gave";
    PublicAndRootKeys {} =>
        "một đơn vị gửi không dùng cả public_keys và root_keys",
        "a source cannot have both public_keys and root_keys";
    PublicOrRootKeys {} =>
        "có root_keys thì khóa ký danh sách nằm trong keys.json: xóa public_keys; nơi nhỏ không có keys.json thì xóa root_keys và threshold",
        "with root_keys the keys that sign lists stand in keys.json: remove public_keys; where there is no keys.json, remove root_keys and threshold";
    OneRootIsEnough {} =>
        "threshold = 1: mất một khóa gốc là mất quyền phát trên đài này",
        "threshold = 1: one stolen root key may speak on this station";
    ThresholdTwo {} =>
        "dùng ba khóa gốc do ba người giữ và threshold = 2",
        "have three root keys, kept by three people, and threshold = 2";
    RootKeyTwice {} => "khóa gốc này đã ghi ở trên", "this root key stands above already";
    RootKeyEach {} =>
        "mỗi người giữ một khóa gốc riêng: chép lại khối source.toml mà đơn vị gửi cung cấp",
        "each person keeps a root key of their own: copy the block source.toml that the sender gave";
    ThresholdFits { keys: usize } =>
        "ghi đủ khóa gốc vào root_keys như trong source.toml của đơn vị gửi; threshold không lớn hơn số khóa gốc (đang có {keys})",
        "put all root keys of the sender's source.toml into root_keys; the threshold is at most their number (now {keys})";
    ThresholdAlone {} => "threshold chỉ đi cùng root_keys", "threshold goes with root_keys only";
    RootKeysOrNot {} =>
        "xóa dòng này, hoặc thay public_keys bằng root_keys = [\"RWQ...\", \"RWQ...\", \"RWQ...\"]",
        "remove this line, or write root_keys = [\"RWQ...\", \"RWQ...\", \"RWQ...\"] in place of public_keys";
    PollOften {} => "hỏi danh sách mới dày hơn mỗi phút một lần: tốn mạng mà không nhanh hơn", "asking for a new list more than once a minute burdens the network and gains nothing";
    WavWithoutFile {} => "\"wav:\" thiếu tên tệp", "\"wav:\" lacks the name of a file";
    GainOverZero {} => "âm lượng trên 0 dB có thể làm vỡ tiếng", "a gain over 0 dB may distort";
    QuietTooShort { length: String } => "giờ không phát loa chỉ dài {length} giờ, ít nhất là 4 giờ", "quiet hours last only {length} h, at least 4 h are needed";
    QuietTooLong { length: String } => "giờ không phát loa dài {length} giờ, tối đa là 14 giờ", "quiet hours last {length} h, at most 14 h are allowed";
    QuietDefault {} => "thông thường: from = \"21:00\", to = \"05:00\"", "usual: from = \"21:00\", to = \"05:00\"";
    QuietNeedsDecision { from: String, to: String } =>
        "giờ không phát loa {from}-{to} không phủ hết 21:00-05:00: cần nêu quyết định cho phép",
        "quiet hours {from}-{to} do not cover 21:00-05:00: the decision that allows it must be named";
    AddShorterBy {} =>
        "thêm shorter_by = \"QĐ 12/QĐ-UBND\" (số quyết định), hoặc để 21:00-05:00",
        "add shorter_by = \"QĐ 12/QĐ-UBND\" (the decision's number), or keep 21:00-05:00";
    OpenTooLong { length: String } => "đêm được phát loa dài {length} giờ, tối đa là 3 giờ", "the open night lasts {length} h, at most 3 h are allowed";
    OpenShorter {} => "rút ngắn \"from\"-\"to\" còn không quá 3 giờ", "shorten \"from\"-\"to\" to 3 h or less";
    TrustAlways {} =>
        "trust = \"always\" chỉ dùng khi chạy thử: với loa thật, giờ sai sẽ phát sai giờ",
        "trust = \"always\" is for trials: with a real device a wrong clock airs at the wrong hour";
    TrustAuto {} =>
        "viết trust = \"auto\", hoặc trust = \"rtc\" nếu máy có đồng hồ chạy pin",
        "write trust = \"auto\", or trust = \"rtc\" where the machine has a clock with a battery";
    ListenPublic { address: String } => "trang điều khiển mở ra ngoài mạng nội bộ ở {address}", "the page is open beyond the local network at {address}";
    BadAddress { text: String } => "địa chỉ \"{text}\" không dùng được: cần IP:CỔNG", "the address \"{text}\" cannot be used: it takes IP:PORT";
    LogKeptShort { months: u32 } => "nhật ký chỉ giữ {months} tháng; thông thường phải giữ 24 tháng", "the log is kept only {months} months; 24 are usual";
    AudioKeptShort { months: u32 } => "bài đã phát chỉ giữ {months} tháng; thông thường phải giữ 6 tháng", "aired audio is kept only {months} months; 6 are usual";
    // The station as a whole (domain/station.rs).
    SlotInQuiet { slot: String, time: String, date: String, iso: String, from: String, to: String } =>
        "buổi phát \"{slot}\" lúc {time} ngày {date} rơi vào giờ không phát loa ({from}-{to})",
        "the slot \"{slot}\" at {time} on {iso} falls into quiet hours ({from}-{to})";
    RelayInQuiet { slot: String, time: String, date: String, iso: String, from: String, to: String } =>
        "buổi tiếp sóng \"{slot}\" lúc {time} ngày {date} rơi vào giờ không phát loa ({from}-{to})",
        "the relay \"{slot}\" at {time} on {iso} falls into quiet hours ({from}-{to})";
    MoveSlot { to: String, from: String } =>
        "đổi giờ phát vào khoảng {to}-{from}; nếu có quyết định cho phép, sửa [quiet_hours] hoặc thêm [[quiet_open]] trong station.toml",
        "choose a time between {to} and {from}; where a decision allows it, change [quiet_hours] or add [[quiet_open]] in station.toml";
    SourceSlotInQuiet {} => "buổi của đơn vị gửi sẽ bị chặn (blocked, quiet_hours); báo cho đơn vị gửi", "the source's session will be blocked (quiet_hours); tell the sender";
    RelayIntoQuiet { slot: String, date: String, iso: String, at: String } =>
        "buổi tiếp sóng \"{slot}\" ngày {date} kéo sang giờ không phát loa: sẽ bị ngắt lúc {at}",
        "the relay \"{slot}\" on {iso} runs into quiet hours: it will be cut at {at}";
    NoSuchSecond { slot: String, text: String } => "buổi phát \"{slot}\": giờ {text} không tồn tại (đổi giờ mùa hè), hôm đó không phát", "the slot \"{slot}\": the time {text} does not exist (summer time), it does not air that day";
    MissingAbove { id: String, source: String } => "danh sách của \"{source}\" không có \"{id}\": sẽ không phát", "the list of \"{source}\" has no \"{id}\": it will not air";
    NothingAbove { id: String, source: String } => "danh sách của \"{source}\" không có \"{id}\"", "the list of \"{source}\" has no \"{id}\"";
    MissingTopicAbove { id: String, source: String } => "danh sách của \"{source}\" không có đợt hoặc chủ đề \"{id}\": lượt phát sẽ không được tính vào", "the list of \"{source}\" has no campaign or topic \"{id}\": airings will not count in it";
    LocalListMissing { id: String } => "danh sách của xã không có \"{id}\"", "the commune's list has no \"{id}\"";
    OfferWithoutPlace { offer: String } =>
        "mục gửi kèm ưu tiên \"{offer}\" không có chỗ trong buổi phát nào: sẽ không phát",
        "the priority offer \"{offer}\" has no place in any session: it will not air";
    AddOffersPlace {} =>
        "trong local.toml, thêm {{ offers = \"priority\" }} vào \"items\" của một buổi phát",
        "in local.toml add {{ offers = \"priority\" }} to the \"items\" of a session";
    OfferToTake { offer: String } =>
        "mục gửi kèm \"{offer}\" chưa có trong buổi phát nào",
        "the offer \"{offer}\" is in no session yet";
    AddOffer { line: String } => "muốn phát thì thêm {line} vào \"items\" của một buổi phát trong local.toml", "to air it add {line} to the \"items\" of a session in local.toml";
    SourceNamesItself { found: String, wanted: String } =>
        "danh sách tự ghi đơn vị gửi \"{found}\", nhưng station.toml ghi \"{wanted}\": danh sách sẽ bị từ chối",
        "the list names its source \"{found}\", station.toml says \"{wanted}\": the list will be refused";
    SourceId { line: String } => "trong station.toml, ở [[source]] viết {line}", "in station.toml, under [[source]], write {line}";
    SourceSlotsOff { source: String } => "đơn vị gửi \"{source}\" không được mở buổi phát (slots = false): buổi này không phát", "the source \"{source}\" may open no session (slots = false): this one does not air";
    GainTooLow { sum: String, clip: String, slot: String } =>
        "tổng âm lượng của bài \"{clip}\" trong buổi \"{slot}\" là {sum} dB, thấp hơn -30 dB: gần như không nghe thấy",
        "the gains of clip \"{clip}\" in slot \"{slot}\" add up to {sum} dB, below -30 dB: hardly to be heard";
    GainTooHigh { sum: String, clip: String, slot: String } =>
        "tổng âm lượng của bài \"{clip}\" trong buổi \"{slot}\" là {sum} dB, trên 0 dB: có thể vỡ tiếng",
        "the gains of clip \"{clip}\" in slot \"{slot}\" add up to {sum} dB, over 0 dB: it may distort";
    GainParts {} =>
        "cộng lại: gain_db của [output], [[daypart]], buổi phát và bài",
        "it is the sum of gain_db in [output], [[daypart]], slot and clip";
    NoLocalTable {} => "station.toml không có [local]: đài không có buổi phát của mình", "station.toml has no [local]: the station has no sessions of its own";
    EmergencyNotAllowed { id: String } => "thông báo khẩn cấp \"{id}\" không qua được giờ không phát loa: đơn vị gửi không được phép (emergency = false)", "the emergency \"{id}\" cannot pass quiet hours: the source may not (emergency = false)";
    UnknownStation { id: String } => "không có đài hoặc nhóm \"{id}\" ứng với đài này", "\"{id}\" is neither this station nor a group with it";
    // Files (cli/check.rs).
    ClipFileMissing { file: String, folder: String } => "không thấy tệp \"{file}\" trong thư mục \"{folder}\": bài sẽ không phát", "there is no file \"{file}\" in the folder \"{folder}\": the clip will not air";
    WriteFile { line: String } => "tệp có trong thư mục: viết {line}", "the folder has: write {line}";
    CopyFile {} => "chép tệp vào thư mục đó, hoặc sửa tên", "copy the file into that folder, or mend the name";
    FolderUnreadable { folder: String, cause: String } => "không đọc được thư mục \"{folder}\": {cause}", "cannot read the folder \"{folder}\": {cause}";
    ConfigRefused { file: String, errors: usize } =>
        "không dùng được cấu hình \"{file}\": {errors} lỗi ở trên; sửa xong chạy loaxa check để xem lại",
        "cannot use the config \"{file}\": {errors} errors above; mend them and run loaxa check";
    FileUnreadable { file: String, cause: String } => "không đọc được tệp \"{file}\": {cause}", "cannot read the file \"{file}\": {cause}";
    LocalListAbsent { file: String, cause: String } => "không đọc được danh sách của xã \"{file}\": {cause}", "cannot read the commune's list \"{file}\": {cause}";
    AllGood { files: usize } => "Không có lỗi ({files} tệp)", "No mistakes ({files} files)";
    MayRun { warnings: usize, advice: usize } =>
        "Không có lỗi, {warnings} cảnh báo, {advice} lời khuyên: chạy được",
        "No errors, {warnings} warnings, {advice} advice: it may run";
    MayNotRun { errors: usize, warnings: usize, advice: usize } =>
        "{errors} lỗi, {warnings} cảnh báo, {advice} lời khuyên: chưa chạy được, hãy sửa các lỗi",
        "{errors} errors, {warnings} warnings, {advice} advice: it may not run until the errors are mended";

    BadHost { text: String } =>
        "\"{text}\" không phải tên máy: chỉ viết tên, không có http:// và số cổng",
        "\"{text}\" is no host name: write the name alone, without http:// and port";

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
    /// Rows that do not prove themselves were found while looking the log over.
    LogRowsBroken { rows: u64, which: String } =>
        "nhật ký có {rows} dòng không còn nguyên vẹn: dòng {which}\n  chạy `loaxa verify` để biết từng dòng; giữ nguyên thẻ nhớ, báo cấp trên",
        "rows of the log that are no longer as they were written: {rows}, number {which}\n  `loaxa verify` names each of them; leave the card as it is and tell those above";
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
    /// A format nobody knows.
    ExportUnknownFormat { format: String } =>
        "không có định dạng \"{format}\"\n  dùng --format csv, jsonl, xlsx hoặc html",
        "no format \"{format}\"\n  use --format csv, jsonl, xlsx or html";
    /// More rows than Excel takes.
    ExportTooManyRows { most: u32 } =>
        "Excel chỉ nhận {most} dòng trong một trang tính, nhật ký có nhiều hơn\n  xuất từng tháng bằng --from và --to, hoặc dùng --format csv",
        "Excel takes {most} rows in a sheet, the log has more\n  export month by month with --from and --to, or use --format csv";
    /// Title of an exported page or workbook.
    ExportTitle {} => "Nhật ký phát thanh", "Airing log";
    /// Name of the sheet with the rows.
    ExportSheet {} => "Nhật ký", "Log";
    /// Name of the sheet with totals.
    ExportTotals {} => "Tổng hợp", "Totals";
    /// Under the title of an exported page.
    ExportMade { at: String, log: String } => "Lập lúc {at}; nhật ký {log}", "Made at {at}; log {log}";
    /// The last line of an exported page.
    ExportRows { rows: u64 } => "Số dòng: {rows}", "Rows: {rows}";
    /// Heading of totals.
    TotalRows {} => "Số dòng", "Rows";
    /// Heading of totals.
    TotalPlayed {} => "Đã phát (giây)", "Played (s)";
    /// Heading of totals.
    TotalAired {} => "Số lượt phát đủ", "Aired";
    /// Heading of totals.
    TotalAiredSeconds {} => "Thời lượng (giây)", "Length (s)";
    /// Heading of totals.
    TotalCut {} => "Phát dở, bị ngắt", "Cut short";
    /// Heading of totals.
    TotalCutSeconds {} => "Đã phát dở (giây)", "Cut short (s)";
    /// Heading of totals.
    TotalNotBegun {} => "Không phát", "Not begun";
    /// The line of everything together.
    TotalAll {} => "Tất cả", "All";
    /// Rows that do not count.
    TotalNotCounted { rows: u64 } =>
        "{rows} dòng chạy thử không ra loa không tính vào số lượt phát dưới đây",
        "{rows} rows of trial runs do not count in the airings below";
    /// Heading of totals.
    HeadCampaign {} => "Đợt tuyên truyền", "Campaign";
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
    /// No row fits what was asked for.
    ExportNothing {} =>
        "không có dòng nào khớp với các điều kiện đã chọn",
        "no row fits what was asked for";
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
    /// The indexes of the database do not hold what the rows say.
    VerifyIndexes {} =>
        "HỎNG: cơ sở dữ liệu: chỉ mục tra cứu khác nội dung các dòng (các dòng vẫn đúng)",
        "BROKEN: database: the search indexes differ from the rows (the rows are right)";
    /// What the database keeps beside the rows was changed.
    VerifySide {} =>
        "HỎNG: cơ sở dữ liệu: trạng thái ghi cạnh nhật ký (buổi phát dở, lệnh dừng, mốc đã xuất) đã bị thay đổi",
        "BROKEN: database: the state kept beside the rows (open sessions, stop, what was exported) was changed";
    /// The database has other tables than it was made with.
    VerifyForm {} =>
        "HỎNG: cơ sở dữ liệu: định nghĩa bảng đã bị thay đổi",
        "BROKEN: database: the definitions of its tables were changed";
    /// A finding.
    VerifyBreak { rows: String, what: String } => "HỎNG: dòng {rows}: {what}", "BROKEN: row {rows}: {what}";
    /// More findings than are shown.
    VerifyMore { more: u64 } => "... và {more} lỗi nữa", "... and {more} more";
    /// The airings that were lost in an outage, which a row tells.
    VerifyLost { lost: u64 } =>
        "lưu ý: {lost} lượt phát không ghi được khi ổ đĩa hỏng, có dòng sự kiện nói rõ",
        "note: {lost} airings could not be kept while the disk failed, a row of the log says so";
    /// Rows that a damaged database lost.
    VerifyMissing { rows: String } =>
        "lưu ý: nhật ký từng hỏng và đã được sửa: mất dòng {rows}, có dòng sự kiện nói rõ",
        "note: the log was damaged and mended: rows {rows} are lost, a row of the log says so";
    /// What a signature says.
    VerifySigned { key: String, words: String } =>
        "chữ ký đúng, khóa {key}: {words}", "the signature is right, key {key}: {words}";
    /// A finding.
    VerifySignatureBad { file: String, why: String } =>
        "HỎNG: không đọc được chữ ký \"{file}\" hoặc tệp của chữ ký: {why}",
        "BROKEN: cannot read the signature \"{file}\" or what it signs: {why}";
    /// A finding.
    VerifySignatureOtherKey { file: String } =>
        "HỎNG: chữ ký \"{file}\" do một khóa khác ký, không phải khóa này",
        "BROKEN: the signature \"{file}\" was made with another key than this one";
    /// A finding.
    VerifySignatureChanged { file: String } =>
        "HỎNG: chữ ký \"{file}\" không đúng với tệp này: tệp hoặc chữ ký đã bị sửa sau khi ký",
        "BROKEN: the signature \"{file}\" does not fit this file: one of them was changed after signing";
    /// A finding.
    VerifySignatureGarbled { file: String } =>
        "HỎNG: \"{file}\" không phải là chữ ký minisign đọc được",
        "BROKEN: \"{file}\" is no minisign signature that can be read";
    /// A finding.
    VerifySignedOther { field: String } =>
        "HỎNG: chữ ký ghi {field} khác với tệp", "BROKEN: the signature names another {field} than the file";
    /// There is a signature, but no key to check it with.
    VerifySignatureUnchecked { file: String } =>
        "lưu ý: chưa kiểm tra chữ ký \"{file}\"; thêm --key và tệp khóa công khai của máy (device.pub)",
        "note: the signature \"{file}\" was not checked; add --key and the box's public key (device.pub)";
    /// `--key` with nothing to check.
    VerifyNoSignature { file: String } =>
        "HỎNG: không có chữ ký \"{file}\" để kiểm tra", "BROKEN: there is no signature \"{file}\" to check";
    /// The log still has what was exported.
    VerifyAgainst { file: String, seq: u64 } =>
        "khớp với tệp đã xuất \"{file}\" đến dòng {seq}", "agrees with the export \"{file}\" up to row {seq}";
    /// The exported rows are gone, as a row says.
    VerifyAgainstPruned { file: String, seq: u64 } =>
        "lưu ý: các dòng trong \"{file}\" (đến dòng {seq}) đã được dọn theo [log] keep, không so được",
        "note: the rows of \"{file}\" (up to {seq}) were removed by [log] keep and cannot be compared";
    /// A finding.
    VerifyAgainstOther { file: String, seq: u64 } =>
        "HỎNG: dòng {seq} trong tệp đã xuất \"{file}\" không có hoặc khác trong nhật ký này: nhật ký bị cắt hoặc bị thay",
        "BROKEN: row {seq} of the export \"{file}\" is missing or another in this log: it was cut or replaced";
    /// `--key` names no key.
    VerifyKeyUnreadable { file: String, why: String } =>
        "không đọc được khóa công khai \"{file}\": {why}", "cannot read the public key \"{file}\": {why}";
    /// The key given is none.
    VerifyKeyGarbled { file: String } =>
        "\"{file}\" không phải là khóa công khai\n  dùng tệp device.pub của máy đã xuất",
        "\"{file}\" is no public key\n  take device.pub of the box that exported";
    /// `--key` without a file.
    VerifyKeyAlone {} =>
        "--key chỉ dùng khi kiểm tra một tệp đã xuất", "--key is for an exported file";
    /// `--sign` without a file.
    ExportSignNeedsFile {} =>
        "--sign cần -o TỆP: chữ ký nằm ở tệp bên cạnh, TỆP.minisig",
        "--sign needs -o FILE: the signature is a file beside it, FILE.minisig";
    /// The device's own key.
    DeviceKeyFails { file: String, why: String } =>
        "không tạo hoặc đọc được khóa ký của máy \"{file}\": {why}",
        "cannot make or read the box's signing key \"{file}\": {why}";
    /// What was exported cannot be noted, so that nothing is pruned.
    ExportNotNoted { why: String } =>
        "lưu ý: tệp đã xuất xong, nhưng không ghi lại được là đã xuất, nên chưa dòng cũ nào được dọn: {why}",
        "note: the file is written, but that it was exported could not be noted, so no old rows are removed: {why}";
    /// The bar's label.
    BackupProgress {} => "sao lưu", "making the backup";
    /// The bar's label.
    RestoreProgress {} => "phục hồi", "restoring";
    /// The backup is on the disk and was read back.
    BackupMade { file: String, files: u64, megabytes: u64 } =>
        "đã sao lưu vào \"{file}\": {files} tệp, {megabytes} MB, đã đọc lại và kiểm tra đủ",
        "the backup \"{file}\" is made: {files} files, {megabytes} MB, read back and whole";
    /// A backup that cannot be used.
    BackupBad { file: String, why: String } =>
        "tệp sao lưu \"{file}\" không dùng được: {why}\nkhông có gì bị thay đổi; dùng bản sao lưu khác",
        "the backup \"{file}\" cannot be used: {why}\nnothing was changed; take another backup";
    /// Why a backup cannot be used.
    BackupPartBad { part: String } =>
        "phần \"{part}\" bị hỏng hoặc thiếu", "the part \"{part}\" is damaged or missing";
    /// Why a backup cannot be used.
    BackupNewer {} =>
        "do bản loaxa mới hơn ghi ra", "it was made by a newer loaxa";
    /// There is something already.
    RestoreNotEmpty { place: String } =>
        "không phục hồi: \"{place}\" đã có dữ liệu\nthêm --force để thay; dữ liệu cũ được giữ bên cạnh",
        "not restored: there is something at \"{place}\"\nadd --force to replace it; the old is kept beside";
    /// All is in its place.
    RestoreDone { files: u64, made: String, seq: u64 } =>
        "đã phục hồi {files} tệp từ bản sao lưu lúc {made}; nhật ký cũ đến dòng {seq}, nhật ký mới bắt đầu khi chạy",
        "{files} files restored from the backup of {made}; the old log ends at row {seq}, a new one begins at the start";
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

    // ---- reports and quotas (domain/report/, domain/quota.rs, cli/report.rs)
    /// A campaign cannot reach its quota on a day.
    QuotaShort { campaign: String, date: String, planned: u32, quota: u32 } =>
        "không đạt chỉ tiêu: \"{campaign}\" ngày {date} chỉ có {planned} lượt phát trong lịch, chỉ tiêu {quota}",
        "quota out of reach: \"{campaign}\" on {date} has {planned} airings planned, the quota is {quota}";
    /// On several days.
    QuotaShortDays { campaign: String, date: String, planned: u32, quota: u32, days: u32 } =>
        "không đạt chỉ tiêu trong {days} ngày: \"{campaign}\" từ ngày {date} chỉ có {planned} lượt phát trong lịch, chỉ tiêu {quota}",
        "quota out of reach on {days} days: \"{campaign}\" from {date} has {planned} airings planned, the quota is {quota}";
    /// The alarm of the daemon.
    QuotaShortAlarm { campaign: String, date: String, planned: u32, quota: u32, days: u32 } =>
        "không đạt chỉ tiêu trong {days} ngày: \"{campaign}\" từ ngày {date} chỉ có {planned} lượt phát trong lịch, chỉ tiêu {quota}\n  Thêm {{ offers = \"priority\" }} vào một buổi phát của ngày ấy trong local.toml, rồi chạy: loaxa check",
        "quota out of reach on {days} days: \"{campaign}\" from {date} has {planned} airings planned, the quota is {quota}\n  Add {{ offers = \"priority\" }} to a session of that day in local.toml, then run: loaxa check";
    /// What helps.
    QuotaMore {} =>
        "thêm {{ offers = \"priority\" }} vào một buổi phát của ngày ấy trong local.toml, hoặc báo đơn vị gửi tăng sessions_per_day",
        "add {{ offers = \"priority\" }} to a session of that day in local.toml, or ask the source for more sessions_per_day";
    /// How far a campaign came in a rehearsal.
    QuotaStanding { campaign: String, aired: u32, planned: u32, quota: u32, reached: u32, days: u32 } =>
        "Đợt \"{campaign}\": phát đủ {aired} lượt, theo lịch {planned}, chỉ tiêu {quota}; đạt chỉ tiêu {reached}/{days} ngày",
        "Campaign \"{campaign}\": {aired} aired, {planned} planned, quota {quota}; quota reached on {reached}/{days} days";
    /// A note is in the log.
    NoteWritten {} => "Đã ghi vào nhật ký", "Written into the log";
    /// A note without words.
    NoteEmpty {} =>
        "ghi chú không có chữ nào\n  Viết: loaxa note \"mất điện cả xã từ 14 giờ\" --by \"Nguyễn Văn A\"",
        "the note has no words\n  Write: loaxa note \"mất điện cả xã từ 14 giờ\" --by \"Nguyễn Văn A\"";
    /// A note that is too long.
    NoteTooLong { most: usize } =>
        "ghi chú dài quá {most} ký tự\n  Tách thành nhiều ghi chú",
        "the note is longer than {most} characters\n  Make several of it";
    /// No such week.
    ReportBadWeek { value: String } =>
        "--week \"{value}\" không phải là tuần\n  Viết như 2022-W40",
        "--week \"{value}\" is no week\n  Write it like 2022-W40";
    /// No such month.
    ReportBadMonth { value: String } =>
        "--ending \"{value}\" không phải là tháng\n  Viết như 2022-10",
        "--ending \"{value}\" is no month\n  Write it like 2022-10";
    /// No rows of the campaign and no list that has it.
    ReportNoCampaign { id: String, known: String } =>
        "không có đợt tuyên truyền \"{id}\" trong danh sách nào hay trong nhật ký\n  Đang có: {known}",
        "no list and no row knows the campaign \"{id}\"\n  There are: {known}";
    /// A plain id that several sources use.
    ReportManyCampaigns { id: String, known: String } =>
        "nhiều đợt tuyên truyền có mã \"{id}\"\n  Viết rõ đơn vị gửi: {known}",
        "several campaigns have the id \"{id}\"\n  Say whose: {known}";
    /// A file from the command line cannot be read.
    ReportCannotRead { file: String, why: String } =>
        "không đọc được \"{file}\": {why}\n  Tệp phải do loaxa export --format jsonl --chain ghi ra",
        "cannot read \"{file}\": {why}\n  It must be a file written by loaxa export --format jsonl --chain";
    /// The report is there.
    ReportWritten { file: String } => "Đã ghi \"{file}\"", "Wrote \"{file}\"";
    /// A report that would go to a terminal.
    ReportNeedsFile { format: String } =>
        "định dạng {format} cần -o TỆP\n  Viết như: -o bao-cao.{format}",
        "the format {format} needs -o FILE\n  As in: -o bao-cao.{format}";
    /// Something a report says about its rows, on stderr as well.
    ReportNotice { text: String } => "CẢNH BÁO: {text}", "CẢNH BÁO: {text}";

    // ---- lists from above (edge/http.rs, edge/clip_store.rs, daemon/sync.rs, publishing)
    /// A source without a key.
    SourceNoKey { source: String } =>
        "đơn vị gửi \"{source}\" không có khóa công khai nào trong station.toml: không kiểm tra được chữ ký\nghi public_keys = [\"RW...\"] đúng như đơn vị gửi đã cung cấp",
        "source \"{source}\" has no public key in station.toml: signatures cannot be checked\nwrite public_keys = [\"RW...\"] as given by the sender";
    /// A key in the config that is not a key.
    SourceKeyMalformed { source: String, key: String } =>
        "khóa công khai \"{key}\" của đơn vị gửi \"{source}\" ghi sai trong station.toml: không phải khóa minisign\nchép lại nguyên dòng bắt đầu bằng RW trong tệp .pub của đơn vị gửi",
        "public key \"{key}\" of source \"{source}\" is mistyped in station.toml: not a minisign key\ncopy the whole line that begins with RW from the sender's .pub file";
    /// The signature file cannot be read.
    SignatureMalformed { source: String } =>
        "tệp chữ ký (.minisig) của đơn vị gửi \"{source}\" hỏng hoặc bị sửa: giữ danh sách cũ\nbáo đơn vị gửi phát hành lại",
        "the signature file (.minisig) of source \"{source}\" is broken or altered: the old list stays\nask the sender to publish again";
    /// The old form of minisign signature.
    SignatureLegacy { source: String } =>
        "chữ ký của đơn vị gửi \"{source}\" thuộc kiểu cũ, không được nhận: giữ danh sách cũ\nbáo đơn vị gửi dùng loaxa publish, hoặc minisign từ bản 0.10",
        "the signature of source \"{source}\" is of the old form, which is not accepted: the old list stays\nask the sender to use loaxa publish, or minisign 0.10 or later";
    /// Signed with a key nobody wrote down here.
    SignatureKeyUnknown { source: String, key_id: String } =>
        "danh sách của đơn vị gửi \"{source}\" ký bằng khóa lạ {key_id}: không nhận, giữ danh sách cũ\nnếu đơn vị gửi đã đổi khóa, hỏi họ khóa mới qua điện thoại hoặc văn bản rồi ghi vào public_keys; nếu không, có người giả mạo",
        "the list of source \"{source}\" is signed with an unknown key {key_id}: refused, the old list stays\nif the sender changed keys, get the new one by telephone or letter and write it into public_keys; if not, somebody is forging lists";
    /// The signature is over other bytes.
    SignatureBytesChanged { source: String } =>
        "danh sách của đơn vị gửi \"{source}\" không khớp chữ ký: nội dung đã bị thay đổi sau khi ký; giữ danh sách cũ\nbáo đơn vị gửi kiểm tra máy chủ web và phát hành lại",
        "the list of source \"{source}\" does not match its signature: it was changed after signing; the old list stays\nask the sender to check the web server and publish again";
    /// Signed, but not a list.
    ListMalformed { source: String, finding: String, findings: usize } =>
        "danh sách của đơn vị gửi \"{source}\" có {findings} lỗi, không nhận: {finding}\nbáo đơn vị gửi; danh sách cũ vẫn phát",
        "the list of source \"{source}\" has {findings} errors and is refused: {finding}\ntell the sender; the old list stays";
    /// A clip's file is of no kind we play.
    ClipEndingUnknown { id: String } =>
        "tệp của \"{id}\" không phải mp3, ogg, flac, wav, m4a hay aac",
        "the file of \"{id}\" is none of mp3, ogg, flac, wav, m4a, aac";
    /// A list of a later format.
    ListFormatUnknown { source: String, format: i64 } =>
        "danh sách của đơn vị gửi \"{source}\" ở định dạng {format}, bản loaxa này chưa đọc được: giữ danh sách cũ\ncập nhật loaxa trên máy này",
        "the list of source \"{source}\" is in format {format}, which this loaxa cannot read: the old list stays\nupdate loaxa on this machine";
    /// The list of somebody else.
    ListOtherSource { source: String, found: String } =>
        "danh sách tại địa chỉ của đơn vị gửi \"{source}\" lại tự ghi là đơn vị gửi \"{found}\": không nhận\nsửa id hoặc url của [[source]] trong station.toml",
        "the list at the address of source \"{source}\" calls itself source \"{found}\": refused\ncorrect id or url of the [[source]] in station.toml";
    /// A list for other stations.
    ListNotForStation { source: String, station: String } =>
        "danh sách của đơn vị gửi \"{source}\" không dành cho đài \"{station}\": không nhận\nxem lại id trong [station], hoặc báo đơn vị gửi thêm đài này vào stations",
        "the list of source \"{source}\" is not meant for station \"{station}\": refused\ncheck id in [station], or ask the sender to add this station to stations";
    /// A list older than the accepted one.
    SerialLower { source: String, serial: u64, stored: u64 } =>
        "danh sách của đơn vị gửi \"{source}\" mang số {serial}, cũ hơn số {stored} đang dùng: không nhận\nbáo đơn vị gửi phát hành lại với --serial {stored}",
        "the list of source \"{source}\" has serial {serial}, older than {stored} in use: refused\nask the sender to publish again with --serial {stored}";
    /// Two different lists with one serial.
    SerialEquivocation { source: String, serial: u64 } =>
        "đơn vị gửi \"{source}\" có hai danh sách khác nhau cùng mang số {serial}: không nhận bản mới\nbáo đơn vị gửi ngay: có hai nơi cùng ký, hoặc khóa ký bị lộ",
        "source \"{source}\" has two different lists with serial {serial}: the new one is refused\ntell the sender at once: two places sign, or the signing key is in other hands";
    /// A serial too far ahead.
    SerialJump { source: String, serial: u64, stored: u64, most: u64 } =>
        "danh sách của đơn vị gửi \"{source}\" nhảy từ số {stored} lên {serial}, quá {most}: không nhận\nbáo đơn vị gửi kiểm tra --serial và khóa ký",
        "the list of source \"{source}\" jumps from serial {stored} to {serial}, by more than {most}: refused\nask the sender to check --serial and the signing key";
    /// A list that would live too long.
    ListLifeTooLong { source: String, days: i64, most: i64 } =>
        "danh sách của đơn vị gửi \"{source}\" có hạn {days} ngày, dài nhất được {most}: không nhận\nbáo đơn vị gửi phát hành lại với --expires ngắn hơn",
        "the list of source \"{source}\" is valid for {days} days, at most {most} are allowed: refused\nask the sender to publish again with a shorter --expires";
    /// A list that had expired when it came.
    ListExpiredOnArrival { source: String, expires_at: String } =>
        "danh sách của đơn vị gửi \"{source}\" đã hết hạn lúc {expires_at}: không nhận\nbáo đơn vị gửi phát hành lại; nếu chưa hết hạn, xem lại giờ của máy này",
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
    /// The host is there and takes no connection.
    HttpRefused { url: String } =>
        "máy chủ của \"{url}\" từ chối kết nối\nmáy sẽ tự thử lại; nếu kéo dài, báo đơn vị gửi kiểm tra máy chủ web",
        "the server of \"{url}\" refuses connections\nit will be tried again; if it lasts, tell the sender to look at the web server";
    /// No way leads there.
    HttpUnreachable { url: String } =>
        "không có đường mạng tới \"{url}\"\nkiểm tra mạng; máy sẽ tự thử lại",
        "no network leads to \"{url}\"\ncheck the network; it will be tried again";
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
        "máy chủ trả lời mã {status} cho \"{url}\"\nnếu là 404: sửa url của [[source]], hoặc báo đơn vị gửi phát hành lại",
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
        "\"{url}\" dài hơn {most} byte: bỏ\nbáo đơn vị gửi phát hành lại",
        "\"{url}\" is longer than {most} bytes: dropped\nask the sender to publish again";
    /// Not the signed length.
    HttpLength { url: String, expected: u64, found: u64 } =>
        "\"{url}\" dài {found} byte, danh sách ghi {expected}: bỏ\nbáo đơn vị gửi phát hành lại",
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
        "tệp âm thanh \"{title}\" không đúng nội dung đã ký: bỏ, giữ danh sách cũ\nbáo đơn vị gửi phát hành lại",
        "audio file \"{title}\" does not have the signed content: dropped, the old list stays\nask the sender to publish again";
    /// May not air.
    ClipRefused { title: String, why: String } =>
        "tệp âm thanh \"{title}\" không dùng được, giữ danh sách cũ: {why}",
        "audio file \"{title}\" cannot be used, the old list stays: {why}";
    /// Longer or shorter than signed.
    ClipDuration { title: String, signed_ms: i64, found_ms: i64 } =>
        "tệp âm thanh \"{title}\" dài {found_ms} ms, danh sách ghi {signed_ms} ms, lệch quá 2 %: giữ danh sách cũ\nbáo đơn vị gửi phát hành lại",
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
        "đơn vị gửi \"{source}\" đã có danh sách mới hơn trên máy này",
        "source \"{source}\" already has a newer list on this machine";
    /// An id that cannot be a file name.
    StoreBadName { source: String } =>
        "id của đơn vị gửi \"{source}\" không đặt tên tệp được\nchỉ dùng chữ, số, dấu - và _ trong id của [[source]]",
        "the id of source \"{source}\" cannot be a file name\nuse letters, digits, - and _ in id of the [[source]]";
    /// The accepted state is damaged.
    StoreDamaged { source: String } =>
        "tệp ghi trạng thái của đơn vị gửi \"{source}\" hỏng hoặc mất: dùng danh sách mới nhất còn đúng chữ ký, vẫn không nhận danh sách cũ hơn\nkiểm tra thẻ nhớ",
        "the state file of source \"{source}\" is damaged or gone: the newest list whose signature holds is used, older ones are still refused\ncheck the memory card";
    /// Signed, but for another purpose.
    ListOtherFile { source: String } =>
        "đơn vị gửi \"{source}\" đưa nhầm tin khẩn (urgent.json) thay cho danh sách (playlist.json), hoặc ngược lại: không nhận\nbáo đơn vị gửi xem lại máy chủ web",
        "source \"{source}\" served its urgent list in place of its list, or the other way round: refused\nask the sender to look at the web server";
    /// An urgent list with a programme.
    UrgentHasMore {} =>
        "tin khẩn chỉ được có emergencies, withdrawals và clips\nđưa phần còn lại vào playlist.toml",
        "an urgent list holds emergencies, withdrawals and clips only\nput the rest into playlist.toml";
    /// An urgent list came into force.
    UrgentReceived { source: String, serial: u64, at: String } =>
        "Đã nhận tin khẩn số {serial} của {source}, có hiệu lực từ {at}",
        "Received urgent list {serial} of {source}, in force from {at}";
    /// Nothing to go back to.
    StoreNothingBefore { source: String } =>
        "đơn vị gửi \"{source}\" không còn bản trước để quay lại\nchỉ quay lại được một bản; muốn bỏ hẳn, báo đơn vị gửi phát hành bản mới",
        "source \"{source}\" has no list before to go back to\nonly one step back is possible; ask the sender to publish anew";
    /// Gone back.
    RolledBack { source: String, left: u64, serial: u64 } =>
        "đã quay lại bản số {serial} của đơn vị gửi \"{source}\", bỏ bản số {left}; có bản mới hơn {left} thì dùng bản mới",
        "list {serial} of source \"{source}\" is back in force, {left} is left out until a later one comes";
    /// No such source.
    RollbackUnknownSource { source: String } =>
        "không có đơn vị gửi \"{source}\" trong station.toml",
        "there is no source \"{source}\" in station.toml";
    /// A person went back.
    RolledBackAlarm { source: String, left: u64, serial: u64 } =>
        "{source} đang được dùng lại bản số {serial} theo lệnh, không dùng bản số {left}\n  Báo {source} phát hành bản mới",
        "Source {source} is back at list {serial} by order, {left} is left out\n  Ask {source} to publish a new one";
    /// Expired, and kept.
    ListExpiredKept { source: String, at: String } =>
        "Danh sách của {source} đã hết hạn lúc {at}, vẫn phát theo on_expiry = \"keep\"\n  Báo {source} phát hành lại",
        "The list of {source} expired at {at} and goes on, as on_expiry = \"keep\" says\n  Ask {source} to publish again";
    // Root keys and keys.json (domain/keyring.rs, daemon/keys.rs).
    /// The list's key is not in keys.json.
    KeyNotListed { source: String, key_id: String, version: u64 } =>
        "danh sách của đơn vị gửi \"{source}\" ký bằng khóa {key_id}, không có trong keys.json bản {version}: không nhận, giữ danh sách cũ\nbáo đơn vị gửi: thêm khóa ấy bằng loaxa keys add rồi phát hành lại; nếu không phải khóa của họ, có người giả mạo",
        "the list of source \"{source}\" is signed with key {key_id}, which is not in keys.json version {version}: refused, the old list stays\ntell the sender: add the key with loaxa keys add and publish again; if it is not theirs, somebody is forging lists";
    /// The list's key does not hold yet.
    KeyNotYet { source: String, key_id: String, valid_from: String } =>
        "danh sách của đơn vị gửi \"{source}\" ký bằng khóa {key_id}, đến {valid_from} mới có hiệu lực: không nhận, giữ danh sách cũ\nxem lại giờ của máy này; nếu đúng, báo đơn vị gửi ký lại bằng khóa đang có hiệu lực",
        "the list of source \"{source}\" is signed with key {key_id}, which holds only from {valid_from} on: refused, the old list stays\ncheck this machine's clock; if it is right, ask the sender to sign with a key that holds";
    /// The list's key is past its end.
    KeyExpired { source: String, key_id: String, until: String } =>
        "danh sách của đơn vị gửi \"{source}\" ký bằng khóa {key_id} đã hết hiệu lực từ {until}: không nhận, giữ danh sách cũ\nbáo đơn vị gửi ký lại bằng khóa mới (loaxa keys add, rồi loaxa publish); nếu họ không ký bản này, khóa cũ đang ở tay người khác",
        "the list of source \"{source}\" is signed with key {key_id}, whose time ended at {until}: refused, the old list stays\nask the sender to sign with a new key (loaxa keys add, then loaxa publish); if they did not sign it, the old key is in other hands";
    /// The list's key was named by an earlier keys.json.
    KeyGone { source: String, key_id: String, version: u64 } =>
        "danh sách của đơn vị gửi \"{source}\" ký bằng khóa cũ {key_id}, đã bỏ khỏi keys.json bản {version}: không nhận, giữ danh sách cũ\nbáo đơn vị gửi ký lại bằng khóa đang dùng",
        "the list of source \"{source}\" is signed with the old key {key_id}, dropped from keys.json version {version}: refused, the old list stays\nask the sender to sign with the key now in use";
    /// The list's key is in other hands.
    KeyLeaked { source: String, key_id: String, version: u64 } =>
        "danh sách của đơn vị gửi \"{source}\" ký bằng khóa {key_id} đã bị lộ (keys.json bản {version}): không nhận\ncó người dùng khóa bị lộ, hoặc đơn vị gửi quên đổi khóa: báo họ ngay",
        "the list of source \"{source}\" is signed with key {key_id}, which is in other hands (keys.json version {version}): refused\nsomebody uses the leaked key, or the sender forgot to change keys: tell them at once";
    /// The list in force was signed by a key that has leaked since.
    ListWithdrawnKeyLeaked { source: String, serial: u64, key_id: String } =>
        "Danh sách số {serial} của {source} ký bằng khóa {key_id} đã bị lộ: rút cả danh sách, không phát bài nào trong đó\n  Báo {source} ký lại bằng khóa mới và phát hành với số lớn hơn {serial}",
        "List {serial} of {source} was signed with key {key_id}, which is in other hands: all of it is withdrawn\n  Ask {source} to sign with a new key and to publish with a serial above {serial}";
    /// No keys.json yet.
    KeysNone { source: String } =>
        "chưa nhận được keys.json của đơn vị gửi \"{source}\": chưa biết khóa nào được ký danh sách\nloaxa sync để hỏi lại, hoặc loaxa import thư mục của đơn vị gửi từ USB",
        "no keys.json of source \"{source}\" has been accepted yet: which keys may sign is not known\nask again with loaxa sync, or import the sender's folder from a USB stick with loaxa import";
    /// The source has none where it should be.
    KeysNotServed { source: String, place: String } =>
        "đơn vị gửi \"{source}\" không có tệp \"{place}\": station.toml ghi root_keys nên không nhận danh sách khi thiếu tệp này; giữ danh sách cũ\nbáo đơn vị gửi phát hành lại bằng loaxa publish --keys và đưa lên nguyên cả thư mục",
        "source \"{source}\" has no file \"{place}\": station.toml has root_keys, so no list is taken without it; the old list stays\nask the sender to publish again with loaxa publish --keys and to upload the whole folder";
    /// keys.json cannot be read.
    KeysMalformed { source: String, why: String } =>
        "keys.json của đơn vị gửi \"{source}\" không dùng được: {why}; giữ bộ khóa cũ\nbáo đơn vị gửi lập lại bằng loaxa keys",
        "keys.json of source \"{source}\" will not do: {why}; the old keys stay\nask the sender to make it anew with loaxa keys";
    /// keys.json is of a later format.
    KeysFormatUnknown { source: String, format: i64 } =>
        "keys.json của đơn vị gửi \"{source}\" ở định dạng {format}, bản loaxa này chưa đọc được: giữ bộ khóa cũ\ncập nhật loaxa trên máy này",
        "keys.json of source \"{source}\" is in format {format}, which this loaxa cannot read: the old keys stay\nupdate loaxa on this machine";
    /// The signature file of keys.json is broken.
    KeysSignatureMalformed { source: String, version: u64 } =>
        "tệp chữ ký của keys.json bản {version} (đơn vị gửi \"{source}\") hỏng hoặc bị sửa: giữ bộ khóa cũ\nbáo đơn vị gửi phát hành lại",
        "the signature file of keys.json version {version} (source \"{source}\") is broken or altered: the old keys stay\nask the sender to publish again";
    /// Root keys signed other bytes.
    KeysChanged { source: String, version: u64 } =>
        "keys.json bản {version} của đơn vị gửi \"{source}\" không khớp chữ ký: nội dung đã bị thay đổi sau khi ký; giữ bộ khóa cũ\nbáo đơn vị gửi kiểm tra máy chủ web và phát hành lại",
        "keys.json version {version} of source \"{source}\" does not match its signatures: it was changed after signing; the old keys stay\nask the sender to check the web server and publish again";
    /// Too few roots signed.
    KeysTooFewSignatures { source: String, version: u64, have: usize, need: usize } =>
        "keys.json bản {version} của đơn vị gửi \"{source}\" có {have} chữ ký khóa gốc, cần {need} của những người khác nhau: không nhận, giữ bộ khóa cũ\nbáo đơn vị gửi đưa đủ người giữ khóa gốc ký (loaxa keys sign) rồi phát hành lại",
        "keys.json version {version} of source \"{source}\" has {have} root signatures, {need} of different people are needed: refused, the old keys stay\nask the sender to have enough root keys sign it (loaxa keys sign) and to publish again";
    /// Too few pinned roots signed.
    KeysPinnedMissing { source: String, version: u64, have: usize, need: usize } =>
        "keys.json bản {version} của đơn vị gửi \"{source}\" có {have} chữ ký của các khóa trong root_keys, cần {need}: không nhận\nso lại root_keys và threshold trong station.toml với khối source.toml của đơn vị gửi; nếu đúng, máy chủ đã bị thay tệp",
        "keys.json version {version} of source \"{source}\" has {have} signatures of the keys in root_keys, {need} are needed: refused\ncompare root_keys and threshold in station.toml with the sender's source.toml; if they are right, files on the server were replaced";
    /// Too few of the new roots signed.
    KeysNewRootsMissing { source: String, version: u64, have: usize, need: usize } =>
        "keys.json bản {version} của đơn vị gửi \"{source}\" đổi khóa gốc nhưng có {have} chữ ký của khóa gốc mới, cần {need}: không nhận, giữ bộ khóa cũ\nbáo đơn vị gửi cho cả người giữ khóa gốc cũ và mới cùng ký",
        "keys.json version {version} of source \"{source}\" changes the root keys but has {have} signatures of the new ones, {need} are needed: refused, the old keys stay\nask the sender to have both the old and the new root keys sign";
    /// keys.json of somebody else.
    KeysOtherSource { source: String, found: String } =>
        "keys.json tại địa chỉ của đơn vị gửi \"{source}\" lại tự ghi là của đơn vị gửi \"{found}\": không nhận\nsửa id hoặc url của [[source]] trong station.toml",
        "keys.json at the address of source \"{source}\" calls itself that of source \"{found}\": refused\ncorrect id or url of the [[source]] in station.toml";
    /// An older keys.json.
    KeysLower { source: String, version: u64, stored: u64 } =>
        "keys.json của đơn vị gửi \"{source}\" là bản {version}, cũ hơn bản {stored} đã nhận: không nhận, không đổi khóa\nbáo đơn vị gửi đưa lại bản mới nhất lên máy chủ; nếu họ không lùi, máy chủ đã bị thay tệp",
        "keys.json of source \"{source}\" is version {version}, older than {stored} accepted before: refused, the keys stay\nask the sender to put the latest one on the server; if they did not go back, files on the server were replaced";
    /// Two of one version.
    KeysEquivocation { source: String, version: u64 } =>
        "đơn vị gửi \"{source}\" có hai tệp keys.json khác nhau cùng là bản {version}: không nhận bản sau\nbáo đơn vị gửi ngay: người giữ khóa gốc đã ký hai bản, hoặc khóa gốc bị lộ",
        "source \"{source}\" has two different keys.json of version {version}: the second is refused\ntell the sender at once: the root keys signed both, or they are in other hands";
    /// A version between is missing.
    KeysSkip { source: String, version: u64, stored: u64, missing: u64 } =>
        "keys.json của đơn vị gửi \"{source}\" nhảy từ bản {stored} lên bản {version}, thiếu keys/{missing}.json: không nhận, giữ bộ khóa cũ\nbáo đơn vị gửi đưa lên máy chủ cả thư mục keys; bản sau phải đúng bằng bản trước cộng 1",
        "keys.json of source \"{source}\" jumps from version {stored} to {version}, keys/{missing}.json is missing: refused, the old keys stay\nask the sender to upload the whole folder keys; each version is the one before plus 1";
    /// Made in the future.
    KeysAhead { source: String, version: u64, issued_at: String } =>
        "keys.json bản {version} của đơn vị gửi \"{source}\" ghi lập lúc {issued_at}, sau giờ hiện tại: không nhận\nxem lại giờ của máy này; nếu đúng, báo đơn vị gửi xem giờ của máy lập tệp",
        "keys.json version {version} of source \"{source}\" says it was made at {issued_at}, which is in the future: refused\ncheck this machine's clock; if it is right, ask the sender to check the clock of the machine that made the file";
    /// The stored keys are damaged or gone.
    KeysDamaged { source: String, version: u64, stored: u64 } =>
        "bộ khóa đã nhận của đơn vị gửi \"{source}\" trên đĩa bị hỏng hoặc mất: dùng bản {version} còn nguyên vẹn, không nhận bản nào cũ hơn {stored}\nkiểm tra thẻ nhớ; loaxa sync để nhận lại",
        "the accepted keys of source \"{source}\" on disk are damaged or gone: version {version}, which is whole, is used, and none older than {stored} is taken\ncheck the card; loaxa sync fetches them again";
    /// The stored keys are not under the pinned roots.
    KeysOtherRoots { source: String, stored: u64 } =>
        "keys.json bản {stored} của đơn vị gửi \"{source}\" đã nhận không do các khóa trong root_keys ký: không dùng\nso lại root_keys và threshold trong station.toml với khối source.toml của đơn vị gửi; vừa đổi thì loaxa sync để nhận bản mới",
        "the accepted keys.json version {stored} of source \"{source}\" is not signed by the keys in root_keys: not used\ncompare root_keys and threshold in station.toml with the sender's source.toml; if they were just changed, loaxa sync fetches the new one";
    /// A keys.json came into force.
    KeysReceived { source: String, version: u64, keys: usize } =>
        "nhận keys.json bản {version} của đơn vị gửi \"{source}\": {keys} khóa được ký danh sách",
        "keys.json version {version} of source \"{source}\" accepted: {keys} keys may sign lists";
    // `loaxa keys`.
    KeysFolderBroken { path: String, why: String } =>
        "\"{path}\" không dùng được: {why}\nlấy lại thư mục từ bản sao lưu, hoặc từ thư mục đã phát hành",
        "\"{path}\" will not do: {why}\ntake the folder from a copy, or from the published folder";
    KeysSignatureFileBroken { path: String } =>
        "tệp chữ ký \"{path}\" hỏng\nxóa tệp đó rồi mọi người ký lại bằng loaxa keys sign",
        "the signature file \"{path}\" is broken\nremove it and let everybody sign again with loaxa keys sign";
    KeysNoFolder { dir: String } =>
        "trong \"{dir}\" chưa có keys.json\nlập bằng: loaxa keys new {dir} --source tinh --root goc-1.pub --root goc-2.pub --root goc-3.pub",
        "there is no keys.json in \"{dir}\"\nmake one: loaxa keys new {dir} --source tinh --root goc-1.pub --root goc-2.pub --root goc-3.pub";
    KeysFolderTaken { dir: String } =>
        "trong \"{dir}\" đã có keys.json: không lập lại từ đầu\nthêm khóa: loaxa keys add; đổi người giữ khóa gốc: loaxa keys roots",
        "there is a keys.json in \"{dir}\" already\nadd a key: loaxa keys add; other root keys: loaxa keys roots";
    KeysBegun { dir: String } =>
        "đã lập keys.json trong \"{dir}\"\nthêm khóa ký danh sách: loaxa keys add {dir} --key khoa-tinh.pub",
        "made keys.json in \"{dir}\"\nadd a key that signs lists: loaxa keys add {dir} --key khoa-tinh.pub";
    PublicKeyUnreadable { path: String, cause: String } =>
        "không đọc được khóa công khai \"{path}\": {cause}\ndùng tệp .pub do loaxa keygen hoặc minisign tạo",
        "cannot read the public key \"{path}\": {cause}\nuse the .pub file made by loaxa keygen or minisign";
    KeysRootFileTwice { path: String } =>
        "\"{path}\" là khóa của người đã ghi ở trước\nmỗi người giữ khóa gốc tạo khóa riêng bằng loaxa keygen",
        "\"{path}\" is the key of somebody named before\neverybody who keeps a root key makes their own with loaxa keygen";
    KeysLeakedStays { id: String } =>
        "khóa {id} đã bị lộ: không dùng lại được\ntạo khóa mới bằng loaxa keygen rồi thêm khóa mới",
        "key {id} is in other hands and cannot be used again\nmake a new one with loaxa keygen and add that";
    KeysNoSuchKey { id: String, known: String } =>
        "trong keys.json không có khóa {id}\nđang có: {known}",
        "there is no key {id} in keys.json\nthere are: {known}";
    KeysSignaturesDropped {} =>
        "nội dung đã đổi: bỏ các chữ ký đã có, mọi người ký lại",
        "the content has changed: the signatures there were are dropped, everybody signs again";
    KeysHead { source: String, version: u64, at: String } =>
        "keys.json của {source}, bản {version}, lập lúc {at}",
        "keys.json of {source}, version {version}, made at {at}";
    KeysRootsLine { need: usize, ids: String } =>
        "Khóa gốc (cần {need} chữ ký): {ids}", "Root keys ({need} signatures needed): {ids}";
    KeysRootsBefore { need: usize, ids: String } =>
        "Khóa gốc cũ (cần {need} chữ ký): {ids}", "Root keys so far ({need} signatures needed): {ids}";
    KeysRootsAfter { need: usize, ids: String } =>
        "Khóa gốc mới (cần {need} chữ ký): {ids}", "Root keys from now on ({need} signatures needed): {ids}";
    KeysNoContentKey {} =>
        "chưa có khóa nào được ký danh sách\nthêm: loaxa keys add",
        "no key may sign lists yet\nadd one: loaxa keys add";
    KeysSignersLeft { count: usize, ids: String } =>
        "thiếu {count} chữ ký trong số {ids}", "{count} signatures lack, of {ids}";
    KeysIncomplete { version: u64, missing: String } =>
        "bản {version} chưa đủ chữ ký: {missing}\nđưa nguyên thư mục cho người giữ khóa gốc ký: loaxa keys sign",
        "version {version} lacks signatures: {missing}\nhand the whole folder to those who keep the root keys: loaxa keys sign";
    KeysComplete { version: u64, dir: String } =>
        "bản {version} đủ chữ ký\nđưa lên: loaxa publish ... --keys {dir}",
        "version {version} has all its signatures\nput it on the server: loaxa publish ... --keys {dir}";
    KeysNothingToSign { version: u64 } =>
        "không có gì để ký: bản {version} đã đủ chữ ký\nđổi nội dung trước: loaxa keys add, retire hoặc roots",
        "there is nothing to sign: version {version} has all its signatures\nchange something first: loaxa keys add, retire or roots";
    KeysNotARoot { id: String } =>
        "khóa {id} không phải khóa gốc của keys.json này: chưa ký\ndùng tệp .key của người giữ khóa gốc",
        "key {id} is no root key of this keys.json: not signed\nuse the .key file of somebody who keeps a root key";
    KeysSignedAlready { id: String } =>
        "khóa {id} đã ký rồi, ký lại không tính thêm: cần người khác ký",
        "key {id} has signed already, and counts once: somebody else has to sign";
    KeysSigned { id: String } => "đã ký bằng khóa {id}", "signed with key {id}";
    KeysNotSigned {} => "chưa ký", "not signed";
    KeysAskSign { version: u64 } =>
        "Đọc kỹ bảng trên. Ký keys.json bản {version}? (c/k)",
        "Read the table above with care. Sign keys.json version {version}? (y/n)";
    KeysAskOnTerminal {} =>
        "không có ai để hỏi: chạy trong cửa sổ lệnh, hoặc thêm --yes sau khi đã xem bằng loaxa keys show",
        "nobody is there to be asked: run it in a terminal, or add --yes after a look with loaxa keys show";
    KeyHolds {} => "đang có hiệu lực", "holds";
    KeyIsNew {} => "mới", "new";
    KeyIsChanged {} => "có thay đổi", "changed";
    KeyIsOver {} => "đã ngừng", "over";
    KeyIsNotYet {} => "chưa đến ngày", "not yet";
    KeyIsLeaked {} => "BỊ LỘ", "LEAKED";
    ColumnKey {} => "Khóa", "Key";
    ColumnFrom {} => "Từ", "From";
    ColumnUntil {} => "Đến", "Until";
    ColumnState {} => "Tình trạng", "State";
    // `publish` under root keys.
    PublishKeyRefused { key_id: String, version: u64, why: String } =>
        "chưa phát hành: theo keys.json bản {version}, khóa ký {key_id} {why}; các đài sẽ không nhận\nthêm khóa bằng loaxa keys add, cho đủ người giữ khóa gốc ký, rồi publish lại với --keys",
        "not published: by keys.json version {version} key {key_id} {why}; stations would refuse the list\nadd the key with loaxa keys add, have enough root keys sign, and publish again with --keys";
    KeyWhyNotListed {} => "không có trong đó", "is not in it";
    KeyWhyOver { until: String } => "đã hết hiệu lực từ {until}", "ended at {until}";
    KeyWhyNotYet { valid_from: String } => "đến {valid_from} mới có hiệu lực", "holds only from {valid_from} on";
    KeyWhyLeaked {} => "đã bị lộ", "is in other hands";
    PublishKeyEndsSoon { key_id: String, until: String } =>
        "khóa ký {key_id} hết hiệu lực lúc {until}: sau đó các đài không nhận danh sách mới\nthêm khóa mới hoặc gia hạn: loaxa keys add, rồi cho đủ người ký",
        "key {key_id} ends at {until}: stations take no new list after that\nadd a new key or give it longer with loaxa keys add, and have enough root keys sign";
    PublishKeysUnfinished { version: u64, used: u64 } =>
        "keys.json bản {version} chưa đủ chữ ký: phát hành với bản {used}",
        "keys.json version {version} lacks signatures: published with version {used}";
    PublishKeysNone { dir: String } =>
        "trong \"{dir}\" chưa có bản keys.json nào đủ chữ ký: chưa phát hành\ncho đủ người giữ khóa gốc ký: loaxa keys sign {dir} --key goc-1.key",
        "no keys.json in \"{dir}\" has all its signatures: not published\nhave enough root keys sign: loaxa keys sign {dir} --key goc-1.key";
    PublishKeysOlder { version: u64, there: u64, dir: String } =>
        "thư mục khóa có bản {version}, thư mục phát hành đã có bản {there}: chưa phát hành\nlấy thư mục khóa mới nhất, hoặc chép keys từ thư mục đã phát hành vào \"{dir}\"",
        "the folder of keys has version {version}, {there} is published already: not published\ntake the latest folder of keys, or copy keys from the published folder into \"{dir}\"";
    PublishKeysOther { version: u64 } =>
        "keys.json bản {version} trong thư mục khóa khác bản đã phát hành: chưa phát hành\ncác đài sẽ báo động: hai bản cùng số; lập bản mới từ bản đã phát hành rồi ký lại",
        "keys.json version {version} in the folder of keys differs from the published one: not published\nstations would raise an alarm over two of one version; make a new version from the published one and sign it";
    PublishKeysGone { dir: String } =>
        "\"{dir}\" có playlist.json nhưng keys.json ở đó không còn nguyên: chưa phát hành\nchạy lại với --keys và thư mục khóa",
        "the keys.json published in \"{dir}\" is not whole: not published\nrun it again with --keys and the folder of keys";
    // What is wrong inside keys.json.
    KeysTooLarge { most: u64 } => "tệp lớn hơn {most} KiB", "the file is larger than {most} KiB";
    KeysVersionBad {} => "format phải là 1, version phải là số từ 1 trở lên", "format must be 1 and version a number from 1 up";
    KeysTimeBad { text: String } =>
        "\"{text}\" không phải là thời điểm (viết như 2026-10-01T08:00:00+07:00)",
        "\"{text}\" is no time (write it like 2026-10-01T08:00:00+07:00)";
    KeysRootBad {} => "một khóa gốc không phải là khóa minisign", "a root key is no minisign key";
    KeysRootTwice {} => "một khóa gốc ghi hai lần", "a root key stands twice";
    KeysRootCount { most: usize } => "phải có từ 1 đến {most} khóa gốc", "there must be 1 to {most} root keys";
    KeysRootNames {} => "root_names phải có đủ tên cho từng khóa gốc", "root_names must name every root key";
    KeysThresholdBad { threshold: u64, keys: usize } =>
        "threshold {threshold} không hợp với {keys} khóa gốc", "threshold {threshold} does not fit {keys} root keys";
    KeysTooMany { most: usize } => "có quá {most} khóa ký", "there are more than {most} content keys";
    KeysKeyBad { key: String } => "\"{key}\" không phải là khóa minisign", "\"{key}\" is no minisign key";
    KeysKeyTwice { id: String } => "khóa ký {id} ghi hai lần", "content key {id} stands twice";
    KeysRootSignsLists { id: String } =>
        "khóa {id} vừa là khóa gốc vừa là khóa ký: khóa gốc chỉ để ký keys.json",
        "key {id} is both a root key and a content key: root keys sign keys.json only";
    KeysLifeBad { id: String, most: i64 } =>
        "khóa ký {id} phải có until sau from, cách nhau nhiều nhất {most} ngày",
        "content key {id} must have until after from, by {most} days at most";

    /// Nothing to hear.
    SoundNone { file: String, peak: String } =>
        "tệp âm thanh \"{file}\" im lặng, không nghe thấy gì (đỉnh âm {peak} dBTP)\nnghe lại bản thu rồi xuất tệp lại",
        "audio file \"{file}\" is silent, there is nothing to hear (true peak {peak} dBTP)\nlisten to the recording and export it again";
    /// Peaks that the output would cut off.
    SoundPeak { file: String, found: String, most: String, gain: String } =>
        "tệp âm thanh \"{file}\" sẽ vỡ tiếng: đỉnh âm {found} dBTP, mức cao nhất {most} dBTP (đã tính gain_db {gain})\ngiảm gain_db, hoặc xử lý lại bản thu",
        "audio file \"{file}\" would be torn: true peak {found} dBTP, at most {most} dBTP (with gain_db {gain})\nlower gain_db, or process the recording again";
    /// Too loud.
    SoundLoud { file: String, found: String, most: String, gain: String } =>
        "tệp âm thanh \"{file}\" quá to: {found} LUFS, mức to nhất {most} LUFS (đã tính gain_db {gain})\ngiảm gain_db, hoặc xử lý lại bản thu",
        "audio file \"{file}\" is too loud: {found} LUFS, at most {most} LUFS (with gain_db {gain})\nlower gain_db, or process the recording again";
    /// A list that does not come into force because of how a clip of it sounds.
    ClipUnfit { why: String } => "giữ danh sách cũ: {why}", "the old list stays: {why}";
    /// Its own gain would make it too loud.
    ClipHeldLoudest { title: String, most: String } =>
        "tệp âm thanh \"{title}\" được giữ ở mức to nhất cho phép ({most} LUFS)\ngiảm gain_db của bài, hoặc giảm --loudness",
        "audio file \"{title}\" is held at the loudest there is ({most} LUFS)\nlower the clip's gain_db, or --loudness";
    /// Too quiet to be raised to the target.
    ClipTooQuiet { title: String, lufs: String } =>
        "tệp âm thanh \"{title}\" quá nhỏ ({lufs} LUFS): có thể thu hỏng\nnghe lại và thu lại nếu cần",
        "audio file \"{title}\" is too quiet ({lufs} LUFS): the recording may be broken\nlisten to it and record again if needed";
    /// Peaks keep it below the target.
    ClipPeaks { title: String, short: String } =>
        "tệp âm thanh \"{title}\" sẽ nhỏ hơn mức chuẩn {short} dB vì có đỉnh âm lớn\nnên xử lý lại bản thu (cắt tiếng nổ, nén âm)",
        "audio file \"{title}\" will be {short} dB below the target because of loud peaks\nprocess the recording again (remove bangs, compress)";
    /// keygen would write over a key.
    KeyFileExists { path: String } =>
        "\"{path}\" đã có: không ghi đè khóa\nchọn tên khác, hoặc tự xóa nếu chắc chắn không dùng nữa",
        "\"{path}\" is there already: keys are not written over\nchoose another name, or remove it yourself if it is surely of no use";
    /// keygen is done; the key itself is on stdout.
    KeysMade { key: String, public: String } =>
        "đã tạo \"{key}\" (khóa ký, giữ kín, sao lưu ra nơi an toàn) và \"{public}\"\nghi dòng khóa công khai trên vào public_keys trong station.toml của các đài; dùng khóa gốc thì đưa \"{public}\" cho người lập keys.json",
        "made \"{key}\" (secret: keep it safe, keep a copy elsewhere) and \"{public}\"\nwrite the public key above into public_keys in each station.toml; with root keys hand \"{public}\" to whoever makes keys.json";
    /// The secret key has no password.
    KeyUnprotected {} =>
        "khóa ký không có mật khẩu: ai chép được tệp là ký được; dùng --password nếu nhiều người dùng chung máy",
        "the secret key has no password: whoever copies the file can sign; use --password where others use the machine";
    /// A secret key cannot be read.
    KeyUnreadable { path: String, cause: String } =>
        "không đọc được khóa ký \"{path}\": {cause}\ndùng tệp .key do loaxa keygen hoặc minisign tạo",
        "cannot read the secret key \"{path}\": {cause}\nuse the .key file made by loaxa keygen or minisign";
    /// A life that is none.
    PublishLife { text: String, most: i64 } =>
        "--expires \"{text}\" không dùng được: viết số ngày như 31d, nhiều nhất {most}d",
        "--expires \"{text}\" will not do: write days as 31d, at most {most}d";
    /// A target that is none.
    PublishLoudness { lufs: String } =>
        "--loudness {lufs} không dùng được: từ -40 đến -8 LUFS",
        "--loudness {lufs} will not do: -40 to -8 LUFS";
    /// The list or its clips have errors.
    PublishRefused { errors: usize } =>
        "chưa phát hành: có {errors} lỗi\nsửa các chỗ nêu trên rồi chạy lại",
        "not published: {errors} errors\ncorrect what is named above and run it again";
    /// The list published last cannot be read.
    PublishLastUnreadable { path: String } =>
        "không đọc được số thứ tự trong \"{path}\": không phát hành, vì các đài sẽ không nhận số nhỏ hơn\nxóa tệp đó rồi phát hành lại với --serial là số cuối mà các đài đang dùng (loaxa status)",
        "cannot read the serial in \"{path}\": not published, as stations refuse a lower one\nremove that file and publish again with --serial set to the last serial stations use (loaxa status)";
    /// No serial is left.
    PublishSerialsOver {} => "hết số thứ tự: --serial quá lớn", "no serial is left: --serial is too large";
    /// A clip's file is not there.
    PublishNoFile { file: String, dir: String, near: String } =>
        "không có tệp \"{file}\" trong \"{dir}\"\ntên gần giống nhất: {near}",
        "there is no file \"{file}\" in \"{dir}\"\nthe nearest name: {near}";
    /// What was published.
    Published { source: String, serial: u64, clips: usize, length: String, megabytes: String, until: String, out: String } =>
        "đã phát hành danh sách số {serial} của đơn vị gửi \"{source}\" vào \"{out}\": {clips} tệp âm thanh, {length}, {megabytes} MB, có hiệu lực đến {until}",
        "published list {serial} of source \"{source}\" into \"{out}\": {clips} clips, {length}, {megabytes} MB, good until {until}";
    /// What publishing changed: nothing.
    PublishSame { serial: u64 } =>
        "nội dung giống hệt danh sách số {serial}; chỉ kéo dài thời hạn",
        "the content is that of list {serial}; only its life is longer";
    /// What publishing changed, line by line below.
    PublishAgainst { serial: u64 } => "so với danh sách số {serial}:", "against list {serial}:";
    /// One kind of entry.
    PublishChange { key: String, changes: String } => "  {key}: {changes}", "  {key}: {changes}";
    /// New entries.
    PublishAdded { ids: String } => "thêm {ids}", "added {ids}";
    /// Entries that are gone.
    PublishGone { ids: String } => "bỏ {ids}", "removed {ids}";
    /// Entries that are otherwise than before.
    PublishEdited { ids: String } => "sửa {ids}", "changed {ids}";
    /// Nothing was there before.
    PublishFirst {} =>
        "thư mục phát hành chưa có danh sách nào: đây là danh sách đầu tiên",
        "there was no list in this folder: this is the first one";
    /// The busiest day.
    PublishOwnSessions { length: String, date: String } =>
        "các buổi do chính danh sách này mở: nhiều nhất {length} một ngày (ngày {date})",
        "sessions the list opens itself: at most {length} a day (on {date})";
    /// All offers together.
    PublishOffered { length: String } =>
        "các mục gửi vào buổi của xã: {length} mỗi lần được phát",
        "what it offers to the communes' own sessions: {length} each time it is taken";
    /// The list's own sessions are enough.
    PublishQuotaMet { campaign: String, quota: u32, clips: usize, own: u32 } =>
        "đợt \"{campaign}\" yêu cầu {quota} lượt mỗi ngày, có {clips} tệp; các buổi của chính danh sách phát đủ ({own} lượt)",
        "campaign \"{campaign}\" asks for {quota} a day and has {clips} clips; the list's own sessions bring all of them ({own})";
    /// They are not.
    PublishQuotaLeft { campaign: String, quota: u32, clips: usize, own: u32, date: String, left: u32 } =>
        "đợt \"{campaign}\" yêu cầu {quota} lượt mỗi ngày, có {clips} tệp; các buổi của chính danh sách phát {own} lượt (ít nhất: ngày {date}), {left} lượt còn lại trông vào buổi của xã",
        "campaign \"{campaign}\" asks for {quota} a day and has {clips} clips; the list's own sessions bring {own} (fewest on {date}), the other {left} depend on the communes' sessions";
    /// Nobody can reach it.
    PublishQuotaNoClip { campaign: String, quota: u32 } =>
        "đợt \"{campaign}\" yêu cầu {quota} lượt mỗi ngày nhưng danh sách này không có tệp nào thuộc đợt",
        "campaign \"{campaign}\" asks for {quota} a day and no clip of this list belongs to it";
    /// It has no whole day left.
    PublishQuotaOver { campaign: String } =>
        "đợt \"{campaign}\" không còn ngày nào trọn trong thời hạn của danh sách này",
        "campaign \"{campaign}\" has no whole day within the life of this list";
    /// A recording that was torn when it was made.
    ClipClips { title: String, peak: String } =>
        "\"{title}\" thu quá lớn: đỉnh sóng {peak} dBTP, tiếng có thể đã vỡ từ khi thu\nhạ âm lượng không chữa được: nên thu lại hoặc xuất lại tệp với đỉnh dưới 0 dB",
        "\"{title}\" was recorded too loud: its true peak is {peak} dBTP, so it may be distorted\nturning it down does not mend that: record or export it again with peaks below 0 dB";
    /// A column of publish's table.
    ColumnId {} => "Mã", "Id";
    /// A column of publish's table.
    ColumnTitle {} => "Tên", "Title";
    /// A column of publish's table.
    ColumnLength {} => "Thời lượng", "Length";
    /// A column of publish's table.
    ColumnGain {} => "Chỉnh âm", "Gain";
    /// A column of publish's table.
    ColumnKilobytes {} => "kB", "kB";
    /// No list on the stick.
    ImportNoList { path: String } =>
        "không có playlist.json trong \"{path}\"\nchỉ đúng thư mục do loaxa publish tạo",
        "there is no playlist.json in \"{path}\"\nname the folder that loaxa publish made";
    /// A list of nobody we know.
    ImportUnknownSource { source: String } =>
        "danh sách của đơn vị gửi \"{source}\" không thuộc đơn vị gửi nào trong station.toml: không nhận\nthêm [[source]] với khóa công khai của họ nếu được phép",
        "the list of source \"{source}\" belongs to no source in station.toml: refused\nadd a [[source]] with their public key if they may send";
    /// Nothing new on the stick.
    ImportSame { source: String } =>
        "danh sách của đơn vị gửi \"{source}\" đã có trên máy này",
        "the list of source \"{source}\" is on this machine already";
    /// Taken in.
    Imported { source: String, serial: u64, clips: usize } =>
        "đã nhận danh sách số {serial} của đơn vị gửi \"{source}\", chép {clips} tệp âm thanh",
        "list {serial} of source \"{source}\" taken, {clips} clips copied";
    /// The urgent list came from a stick.
    ImportedUrgent { source: String, serial: u64, clips: usize } =>
        "đã nhận tin khẩn số {serial} của đơn vị gửi \"{source}\", chép {clips} tệp âm thanh",
        "urgent list {serial} of source \"{source}\" taken, {clips} clips copied";
    /// A list from the future.
    ListIssuedAhead { source: String, issued_at: String } =>
        "danh sách của đơn vị gửi \"{source}\" ghi ngày ký {issued_at}, muộn hơn giờ máy này trên một ngày: không nhận\nbáo đơn vị gửi kiểm tra giờ máy tính; xem lại giờ của máy này",
        "the list of source \"{source}\" says it was issued at {issued_at}, over a day ahead of this machine's clock: refused\nask the sender to check their computer's clock; check this machine's clock";

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
    /// A clip without a sound in it.
    ClipNoSound { path: String } =>
        "tệp âm thanh \"{path}\" không có tiếng nào: tệp rỗng hoặc bị hỏng\nchép hoặc xuất lại tệp từ bản gốc",
        "there is no sound in the audio file \"{path}\": it is empty or broken\ncopy or export it again from the original";
    /// A clip that breaks off.
    ClipEndMissing { path: String } =>
        "tệp âm thanh \"{path}\" bị cụt: thiếu phần cuối\nchép hoặc xuất lại tệp từ bản gốc",
        "the audio file \"{path}\" breaks off: its end is missing\ncopy or export it again from the original";
    /// A clip with holes.
    ClipPartsBad { path: String } =>
        "tệp âm thanh \"{path}\" bị hỏng: có đoạn không giải mã được\nchép hoặc xuất lại tệp từ bản gốc",
        "the audio file \"{path}\" is broken: parts of it do not decode\ncopy or export it again from the original";
    /// A clip pieced together from others.
    ClipChangesInside { path: String } =>
        "tệp âm thanh \"{path}\" đổi tần số lấy mẫu hoặc số kênh ở giữa tệp\nxuất lại tệp từ bản gốc",
        "the sample rate or the channels of the audio file \"{path}\" change inside it\nexport it again from the original";
    /// A clip that is no end of work.
    ClipTooSlow { path: String } =>
        "tệp âm thanh \"{path}\" giải mã quá lâu\nxuất lại tệp từ bản gốc, thành mp3 chẳng hạn",
        "the audio file \"{path}\" takes too long to decode\nexport it again from the original, as mp3 for example";
    /// The process that decoded it did not come to its end.
    ClipDecoderDied { path: String, how: String } =>
        "tệp âm thanh \"{path}\" làm tiến trình giải mã dừng giữa chừng ({how})\nchép hoặc xuất lại tệp từ bản gốc",
        "the process that decoded the audio file \"{path}\" broke off ({how})\ncopy or export it again from the original";
    /// The decoding process could not be shut in.
    ClipNoFence { why: String } =>
        "không giải mã tệp nhận về: hệ điều hành không cho cách ly tiến trình giải mã ({why})\ndùng nhân Linux có seccomp, như Debian 12 trở lên",
        "clips are not decoded: the system cannot shut in the process that decodes ({why})\nuse a Linux kernel with seccomp, as Debian 12 and later have";
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
    /// Approved audio was replaced.
    ApprovalOfOtherAudio { clip: String, at: String } =>
        "bài \"{clip}\" đã bị thay tệp sau khi duyệt ({at}): chưa được duyệt lại nên không phát\n  Duyệt tệp mới rồi sửa approved_at trong local.toml",
        "the audio of \"{clip}\" was replaced after its approval ({at}): not approved again, so not aired\n  Have the new file approved and change approved_at in local.toml";
    /// A part of the daemon does not start.
    StartFails { what: String, why: String } =>
        "không khởi động được phần \"{what}\": {why}",
        "cannot start \"{what}\": {why}";
    /// The state folder cannot be used.
    StateDirUnusable { dir: String, why: String } =>
        "không dùng được thư mục dữ liệu \"{dir}\": {why}\n  Kiểm tra [state] dir và quyền ghi của người dùng loaxa",
        "cannot use the state folder \"{dir}\": {why}\n  Check [state] dir and that the user loaxa may write there";
    /// Another daemon has the state folder.
    AlreadyRunning { dir: String } =>
        "đã có một chương trình loaxa đang chạy với thư mục \"{dir}\"\n  Xem: systemctl status loaxa",
        "another loaxa is running with \"{dir}\"\n  See: systemctl status loaxa";
    /// Up and running.
    DaemonReady { station: String } =>
        "{station}: sẵn sàng",
        "{station}: ready";
    /// Ending softly.
    DaemonEnds {} =>
        "đang dừng chương trình",
        "ending";
    /// Rows did not reach the disk before the end.
    RowsLeftUnwritten {} =>
        "một số dòng nhật ký chưa ghi được xuống thẻ nhớ trước khi dừng",
        "some rows of the log had not reached the disk when the program ended";
    /// A clip has no file that can be played.
    AudioAbsent { airing: String } =>
        "không phát được \"{airing}\": thiếu tệp âm thanh\n  Chép tệp vào thư mục clips rồi chạy: loaxa check",
        "cannot play \"{airing}\": its audio file is missing\n  Copy the file into the clips folder and run: loaxa check";
    /// A list came into force.
    ListReceived { source: String, serial: u64, at: String } =>
        "{source}: Đã nhận bản mới số {serial} lúc {at}",
        "{source}: list {serial} came into force at {at}";
    /// The clock cannot be believed.
    ClockUnknown {} =>
        "Chưa phát: chưa có giờ chính xác\n  Nối mạng để lấy giờ, hoặc đặt giờ bằng tay: sudo loaxa clock set GIỜ --by TÊN; lắp đồng hồ có pin thì đặt trust = \"rtc\"",
        "Not playing: the time is not known\n  Connect the network, or set the clock by hand: sudo loaxa clock set TIME --by NAME; with a battery-backed clock set trust = \"rtc\"";
    /// The clock leapt on, and is looked at again.
    ClockLeaptOn { length: String } =>
        "Chưa phát: đồng hồ của máy vừa nhảy tới {length}\n  Máy chờ mười phút rồi xem lại. Nếu giờ mới đúng: sudo loaxa clock set GIỜ --by TÊN",
        "Not playing: the machine's clock leapt forward by {length}\n  It is looked at again after ten minutes. If the new time is right: sudo loaxa clock set TIME --by NAME";
    /// The clock leapt back, and is looked at again.
    ClockLeaptBack { length: String } =>
        "Chưa phát: đồng hồ của máy vừa nhảy lùi {length}\n  Máy chờ mười phút rồi xem lại. Nếu giờ mới đúng: sudo loaxa clock set GIỜ --by TÊN",
        "Not playing: the machine's clock leapt back by {length}\n  It is looked at again after ten minutes. If the new time is right: sudo loaxa clock set TIME --by NAME";
    /// `clock set` without a name.
    ClockNeedsName {} =>
        "không đặt giờ: chưa ghi tên người chịu trách nhiệm về giờ\n  Thêm --by \"Họ tên\"",
        "the clock is not set: nobody's name vouches for it\n  Add --by \"NAME\"";
    /// `clock set` to what has certainly passed.
    ClockBelowFloor { floor: String } =>
        "không đặt giờ: giờ ấy sớm hơn {floor}, là lúc chắc chắn đã qua\n  Xem lại ngày, tháng, năm",
        "the clock is not set: that is before {floor}, which has certainly passed\n  Look at day, month and year again";
    /// The machine's clock shows something else than what it was set to.
    ClockNotSet {} =>
        "đồng hồ của máy không chỉ giờ vừa đặt\n  Có chương trình khác đang chỉnh giờ; xem: timedatectl",
        "the machine's clock does not show the time it was set to\n  Another program sets it as well; see: timedatectl";
    /// An emergency without a name.
    EmergencyNeedsName {} =>
        "không phát khẩn cấp: chưa ghi tên người cho phát\n  Thêm --by \"Họ tên\"",
        "no emergency is sent: nobody's name orders it\n  Add --by \"NAME\"";
    /// An emergency that would be over already.
    EmergencyOver {} =>
        "không phát khẩn cấp: thời điểm --until đã qua\n  Bỏ --until, hoặc ghi một lúc sau bây giờ",
        "no emergency is sent: the time of --until has passed\n  Leave --until out, or write a later time";
    /// A person silenced the station.
    StoppedAlarm { since: String, by: String, days: i64 } =>
        "Đã dừng từ {since} (ngày thứ {days}); người dừng: {by}\n  Phát tiếp: loaxa resume",
        "Stopped since {since} (day {days}), by {by}\n  To go on: loaxa resume";
    /// Who stopped it gave no name.
    NoNameGiven {} => "(không ghi tên)", "(no name given)";
    /// A source is silent.
    NoContact { source: String, since: String } =>
        "Mất liên lạc với {source} từ {since}\n  Kiểm tra mạng; lịch đã nhận vẫn phát bình thường",
        "No contact with {source} since {since}\n  Check the network; what was received goes on airing";
    /// A list is no longer valid.
    ListExpired { source: String, at: String } =>
        "Danh sách của {source} đã hết hạn lúc {at}: bài của {source} không phát nữa\n  Báo {source} phát hành lại, rồi chạy: loaxa sync",
        "The list of {source} expired at {at}: its clips air no more\n  Ask {source} to publish again, then run: loaxa sync";
    /// A list will soon not be valid.
    ListExpiresSoon { source: String, at: String } =>
        "Danh sách của {source} sẽ hết hạn lúc {at}",
        "The list of {source} expires at {at}";
    /// An offer finds no place.
    OfferHasNoPlace { offer: String } =>
        "Mục gửi kèm \"{offer}\" không có chỗ trong buổi phát nào\n  Thêm {{ offers = \"priority\" }} vào items của một buổi trong local.toml",
        "Offer \"{offer}\" has no place in any session\n  Add {{ offers = \"priority\" }} to the items of a session in local.toml";
    /// A changed config was refused.
    ConfigNotTaken { finding: String } =>
        "không nhận cấu hình mới, vẫn dùng cấu hình cũ: {finding}\n  Chạy loaxa check để xem mọi chỗ sai",
        "the changed config is refused, the old one stays in force: {finding}\n  Run loaxa check to see every mistake";
    /// A changed config is in force.
    ConfigTaken {} =>
        "đã nhận cấu hình mới",
        "the changed config is in force";
    /// A change that a restart only can bring into force.
    NeedsRestart {} =>
        "thay đổi state.dir hoặc station.id chỉ có hiệu lực sau khi khởi động lại\n  Chạy: sudo systemctl restart loaxa",
        "a change of state.dir or station.id needs a restart\n  Run: sudo systemctl restart loaxa";
    /// No such clip.
    NoSuchClip { clip: String } =>
        "không có bài \"{clip}\"\n  Bài của đài viết mã (ban-tin), bài cấp trên viết đơn vị/mã (tinh/cd1), âm thử viết tone",
        "there is no clip \"{clip}\"\n  The station's own by id (ban-tin), others as SOURCE/ID (tinh/cd1), the test tone as tone";
    /// Something airs already.
    PlayBusy {} =>
        "không phát được bây giờ: đang có bài trên loa",
        "cannot play now: something is on the air";
    /// A rule or a person forbids it.
    PlayForbidden { reason: String } =>
        "không phát: {reason}",
        "not played: {reason}";
    /// State: stopped.
    StateStopped {} => "Đã dừng", "Stopped";
    /// State: on air.
    StateOnAir { title: String } => "Đang phát: {title}", "On air: {title}";
    /// State: no time.
    StateWaitingForClock {} => "Chưa phát: chưa có giờ chính xác", "Not playing: the time is not known";
    /// State: waiting.
    StateIdle {} => "Chờ đến giờ", "Waiting";
    /// An amplifier command failed.
    HookFails { command: String, why: String } =>
        "không chạy được lệnh \"{command}\" để bật/tắt tăng âm: {why}\n  Kiểm tra on_start, on_stop trong [output] và chạy thử lệnh ấy",
        "cannot run \"{command}\" to switch the amplifier: {why}\n  Check on_start and on_stop in [output] and try the command by hand";

    // ---- the station page (edge/page.rs, edge/page/)
    /// Navigation.
    PageNow {} => "Hôm nay", "Today";
    /// Navigation.
    PageWeek {} => "7 ngày tới", "Next 7 days";
    /// Navigation.
    PageReceived {} => "Bản tin cấp trên gửi", "Received from above";
    /// Navigation.
    PagePlay {} => "Phát ngay", "Play";
    /// Navigation.
    PageLog {} => "Nhật ký", "Log";
    /// Navigation.
    PageReports {} => "Báo cáo", "Reports";
    /// Report.
    PageReportDiary {} => "Sổ nhật ký tuần", "Diary of a week";
    /// Report.
    PageReportPeriod {} => "Báo cáo kỳ", "Report of a period";
    /// Report.
    PageReportCampaign {} => "Kết quả đợt tuyên truyền", "Result of a campaign";
    /// Field.
    PageReportWeek {} => "Tuần (như 2022-W40)", "Week (year-W number)";
    /// Field.
    PageReportKind {} => "Loại kỳ", "Length";
    /// Field.
    PageReportEnding {} => "Tháng cuối của kỳ (như 2022-10)", "Last month (year-month)";
    /// Field.
    PageReportCalendar {} => "Theo tháng dương lịch", "Calendar months";
    /// Choice.
    PageReportMonth {} => "Tháng", "Month";
    /// Choice.
    PageReportQuarter {} => "Quý", "Quarter";
    /// Choice.
    PageReportHalf {} => "6 tháng", "Half a year";
    /// Choice.
    PageReportNine {} => "9 tháng", "Nine months";
    /// Choice.
    PageReportYear {} => "Năm", "Year";
    /// Button.
    PageReportSee {} => "Xem và in", "See and print";
    /// Skips the navigation.
    PageSkip {} => "Đến nội dung chính", "Skip to the content";
    /// A campaign without one.
    PageNoQuota {} => "Không đặt chỉ tiêu", "No quota";
    /// Of a campaign.
    PageCampaignOver {} => "đợt đã kết thúc", "it is over";
    /// Of a campaign.
    PageCampaignLater {} => "chưa đến ngày bắt đầu", "it begins later";
    /// Heading of an urgent list.
    PageUrgent { source: String } => "Tin khẩn của {source}", "Urgent, from {source}";
    /// Of an urgent list.
    PageUrgentOver {} => "(đã hết hạn)", "(expired)";
    /// How often an emergency sounds.
    PageOneRound { times: u32 } => "Phát {times} lần liền nhau", "Sounds {times} times in a row";
    /// How often an emergency sounds.
    PageRoundsEvery { times: u32, every: String } =>
        "Phát {times} lần liền nhau, lặp lại sau mỗi {every}",
        "Sounds {times} times in a row, again every {every}";
    /// Label.
    PageWithdrawn {} => "Đã thu hồi", "Withdrawn";
    /// The other language.
    PageOtherLanguage {} => "English", "Tiếng Việt";
    /// Stops.
    PageStop {} => "Dừng ngay", "Stop now";
    /// Until when it is silent.
    PageStopSession {} => "Hết buổi này", "Until this session ends";
    /// Until when it is silent.
    PageStopDay {} => "Hết ngày", "Until midnight";
    /// Until when it is silent.
    PageStopForGood {} => "Đến khi bật lại", "Until switched on again";
    /// Emergencies pass.
    PageButEmergency {} => "Vẫn cho phát bản tin khẩn cấp", "Emergencies may still air";
    /// Why it is stopped.
    PageWhy {} => "Lý do (ghi vào nhật ký)", "Why (for the log)";
    /// Goes on.
    PageResume {} => "Phát tiếp", "Go on";
    /// Asks the sources.
    PageSync {} => "Cập nhật ngay", "Ask for new lists now";
    /// Logs in.
    PageLogin {} => "Đăng nhập để dừng, phát", "Log in to stop or play";
    /// Heading of the login.
    PageLoginHead {} => "Đăng nhập", "Log in";
    /// How one gets a code.
    PageLoginHow {} =>
        "Trang này không có mật khẩu. Trên máy của đài, chạy lệnh dưới đây rồi gõ mã 8 chữ số vào ô. Mã dùng một lần, trong 10 phút.",
        "This page has no password. On the station's machine, run the command below and type the code of 8 digits. It works once, within 10 minutes.";
    /// Field.
    PageCode {} => "Mã 8 chữ số", "Code of 8 digits";
    /// Button.
    PageEnter {} => "Vào", "Enter";
    /// Logs out.
    PageLogout {} => "Đăng xuất", "Log out";
    /// Who is logged in.
    PageLoggedIn { by: String } => "Đang đăng nhập: {by}", "Logged in: {by}";
    /// A wrong code.
    PageWrongCode { left: u32 } => "Mã không đúng, còn {left} lần thử", "Wrong code, {left} tries left";
    /// No code is open.
    PageNoCode {} =>
        "Mã không còn dùng được. Chạy lại lệnh loaxa page-code để lấy mã mới",
        "That code is no longer good. Run loaxa page-code for a new one";
    /// The machine failed.
    PageFailed { why: String } => "Không làm được: {why}", "That did not work: {why}";
    /// Refused: another site asks.
    PageForeign {} =>
        "Yêu cầu bị từ chối: không gửi từ chính trang này. Mở lại trang của đài rồi bấm lại",
        "Refused: this was not sent from this page. Open the station's page again and press again";
    /// Refused: an unknown name.
    PageWrongHost {} =>
        "Tên máy này không được phép. Dùng địa chỉ của máy, hoặc thêm tên vào hosts trong [page] của station.toml",
        "This host name is not allowed. Use the machine's address, or add the name to hosts in [page] of station.toml";
    /// Refused: too large.
    PageTooLarge {} => "Yêu cầu quá lớn", "The request is too large";
    /// No such page.
    PageNotFound {} => "Không có trang này", "There is no such page";
    /// What sounds.
    PageOnAir {} => "Đang phát", "On air";
    /// How far it has come.
    PageProgress { played: String, whole: String } => "{played} trên {whole}", "{played} of {whole}";
    /// What comes.
    PageNext {} => "Tiếp theo", "Next";
    /// Nothing comes.
    PageNothingNext {} => "Không có bài nào trong 7 ngày tới", "Nothing in the next 7 days";
    /// Stopped until a time.
    PageStoppedUntil { until: String } => "Đã dừng đến {until}", "Stopped until {until}";
    /// Stopped until somebody goes on.
    PageStoppedForGood {} => "Đã dừng cho đến khi bật lại", "Stopped until switched on again";
    /// By whom.
    PageStoppedBy { by: String, since: String } => "{by} dừng lúc {since}", "stopped by {by} at {since}";
    /// The day as a picture.
    PageBand { date: String } => "Lịch phát thanh {date}", "The day of {date}";
    /// Legend.
    PageBandPlanned {} => "Sắp phát", "To come";
    /// Legend.
    PageBandAired {} => "Đã phát đủ", "Aired";
    /// Legend.
    PageBandFailed {} => "Không phát đủ", "Not or not fully aired";
    /// Legend.
    PageBandRelay {} => "Tiếp sóng", "Relay";
    /// Legend.
    PageBandQuiet {} => "Giờ không phát loa", "Quiet hours";
    /// Legend.
    PageBandNow {} => "Bây giờ", "Now";
    /// Heading.
    PageRecent {} => "Vừa phát", "Last airings";
    /// Heading.
    PageSessions {} => "Các buổi hôm nay", "Today's sessions";
    /// No session.
    PageNoSessions {} => "Không có buổi nào", "No sessions";
    /// No rows.
    PageNoRows {} => "Chưa có dòng nào", "No rows";
    /// How a session ended.
    PageSessionResult { aired: usize, all: usize } => "đã phát đủ {aired}/{all}", "{aired} of {all} aired";
    /// A session to come.
    PageSessionItems { items: usize, length: String } => "{items} bài, {length}", "{items} items, {length}";
    /// A session that runs.
    PageSessionRuns {} => "đang diễn ra", "running";
    /// What airs was sent from above.
    PageFromAbove { source: String } => "từ {source}", "from {source}";
    /// Heading.
    PageAlarms {} => "Cần xem lại", "Needs attention";
    /// No alarms.
    PageAllWell {} => "Mọi thứ bình thường", "All is well";
    /// Since when.
    PageSince { since: String } => "từ {since}", "since {since}";
    /// Heading.
    PageMachine {} => "Máy và đường truyền", "Machine and sources";
    /// Row.
    PageClock {} => "Đồng hồ", "Clock";
    /// Clock.
    PageClockSynced {} => "đúng giờ (đồng bộ qua mạng)", "right (synchronised)";
    /// Clock.
    PageClockHeld {} => "tin được (máy tự giữ giờ)", "believed (held)";
    /// Clock.
    PageClockUnknown {} => "chưa tin được: chưa phát theo lịch", "not believed: nothing airs by schedule";
    /// Row.
    PageDevice {} => "Thiết bị âm thanh", "Audio device";
    /// Device.
    PageDeviceOk {} => "bình thường", "fine";
    /// Row.
    PageDisk {} => "Ổ đĩa", "Disk";
    /// Disk.
    PageDiskUse { clips: u64, used: String, quota: String, free: String } =>
        "{clips} bài nhận về, {used} trên {quota}; ổ còn trống {free}",
        "{clips} clips received, {used} of {quota}; {free} free on the disk";
    /// Row.
    PageLogState {} => "Nhật ký", "Log";
    /// Log.
    PageLogRows { seq: u64 } => "{seq} dòng, đã ghi an toàn", "{seq} rows, safely written";
    /// Log.
    PageLogWaits { seq: u64 } => "{seq} dòng, còn dòng chưa ghi được xuống đĩa", "{seq} rows, some not on disk yet";
    /// Source.
    PageSource { serial: String, last: String, expires: String } =>
        "bản số {serial}; liên lạc lần cuối {last}; hết hạn {expires}",
        "list {serial}; last contact {last}; expires {expires}";
    /// Never.
    PageNever {} => "chưa có", "none yet";
    /// Row.
    PageUptime {} => "Chạy liên tục", "Running for";
    /// Uptime.
    PageUptimeShort {} => "chưa đến 1 phút", "less than a minute";
    /// Played by a person.
    PageByHand {} => "Phát bằng tay", "Played by hand";
    /// The connection is gone.
    PageLost {} => "Mất kết nối với máy. Nội dung dưới đây có thể đã cũ.", "No connection. What is below may be old.";
    /// Heading of received lists.
    PageList { source: String, level: String } => "{source} ({level})", "{source} ({level})";
    /// What is known of a list.
    PageListLine { serial: String, since: String, expires: String } =>
        "Bản số {serial}, có hiệu lực ở đài từ {since}, hết hạn {expires}",
        "List {serial}, in force here since {since}, expires {expires}";
    /// No lists.
    PageNothingReceived {} => "Chưa nhận được danh sách nào", "No list received yet";
    /// Heading.
    PageCampaign {} => "Đợt tuyên truyền", "Campaign";
    /// Document of a campaign.
    PageDocument { number: String, date: String } => "Văn bản {number} ngày {date}", "Document {number} of {date}";
    /// Days of something.
    PageDates { from: String, to: String } => "từ {from} đến {to}", "from {from} to {to}";
    /// Open end.
    PageOpenEnd {} => "khi có thông báo khác", "further notice";
    /// Open beginning.
    PageOpenBeginning {} => "nay", "now";
    /// Quota.
    PageQuota { per_day: u32 } => "Chỉ tiêu: {per_day} lượt mỗi ngày", "Quota: {per_day} airings a day";
    /// Quota kept.
    PageQuotaKept { from: String, to: String } => "đủ theo lịch từ {from} đến {to}", "reached by the plan from {from} to {to}";
    /// Quota not kept.
    PageQuotaShort { date: String, planned: usize } =>
        "chưa đủ: ngày {date} chỉ có {planned} lượt",
        "not reached: only {planned} on {date}";
    /// Heading.
    PageOffer {} => "Gửi kèm vào buổi của xã", "Offer for the commune's sessions";
    /// How often.
    PageOfferTimes { times: u32 } => "{times} buổi đầu mỗi ngày có chỗ", "the first {times} sessions a day that have a place";
    /// Heading.
    PageEmergency {} => "Thông báo khẩn cấp", "Emergency";
    /// Heading.
    PageClips {} => "Các bài", "Clips";
    /// Where it will air.
    PageWillAir { times: usize, first: String } => "Sẽ phát {times} lượt trong 7 ngày tới: {first}", "Airs {times} times in the next 7 days: {first}";
    /// Nowhere.
    PageWillNotAir {} => "Không có trong lịch 7 ngày tới", "Not in the plan of the next 7 days";
    /// Approval.
    PageApproved { by: String, at: String } => "{by} duyệt ngày {at}", "approved by {by} on {at}";
    /// No approval.
    PageNotApproved {} => "Chưa được duyệt: không phát", "Not approved: will not air";
    /// Audio is not here.
    PageNoAudio {} => "Chưa có tệp âm thanh", "No audio file";
    /// Listen.
    PageListen { title: String } => "Nghe thử trên máy này: {title}", "Listen on this device: {title}";
    /// Play.
    PagePlayClip {} => "Phát ngay", "Play now";
    /// Play.
    PagePlayHow {} =>
        "Phát ngay ra loa. Trong giờ không phát loa hoặc khi đang dừng thì không phát. Tên người phát được ghi vào nhật ký.",
        "Plays on the loudspeakers at once, under quiet hours and stops; logged with your name.";
    /// The test tone.
    PageTone {} => "Âm thử 1 kHz", "Test tone, 1 kHz";
    /// The commune's own clips.
    PageOwnClips {} => "Bài của xã", "The commune's own clips";
    /// Done.
    PageDoneStop { until: String } => "Đã dừng đến {until}", "Stopped until {until}";
    /// Done.
    PageDonePlay {} => "Đang phát ra loa", "Playing now";
    /// Done.
    PageDoneSync { source: String, result: String } => "{source}: {result}", "{source}: {result}";
    /// Sync found this.
    PageSyncSame {} => "không có gì mới", "nothing new";
    /// Sync found this.
    PageSyncNew {} => "đã nhận bản mới", "a new list came into force";
    /// Filter.
    PageFrom {} => "Từ ngày", "From";
    /// Filter.
    PageTo {} => "Đến hết ngày", "To, inclusive";
    /// Filter.
    PageAll {} => "Tất cả", "All";
    /// Button.
    PageShow {} => "Xem", "Show";
    /// Download.
    PageDownload {} => "Tải về:", "Download:";
    /// Rows left out.
    PageOnlyLast { shown: usize, all: u64 } => "Chỉ hiện {shown} dòng mới nhất trong {all} dòng", "Only the newest {shown} of {all} rows";
    /// Where it was not possible to listen.
    PageCannotListen { address: String, why: String } =>
        "không mở được trang của đài ở {address}: {why}\n  Kiểm tra listen trong [page]; máy thử lại mỗi 5 giây",
        "the station page cannot listen on {address}: {why}\n  Check listen in [page]; it is tried again every 5 seconds";
    /// The config has no page.
    PageAbsent {} =>
        "cấu hình không có trang của đài\n  Thêm [page] listen = \"127.0.0.1:8080\" vào station.toml",
        "the config has no station page\n  Add [page] listen = \"127.0.0.1:8080\" to station.toml";
    /// A name is missing.
    PageNeedsName {} => "thiếu tên người: loaxa page-code --by \"Nguyễn Văn A\"", "a name is missing: loaxa page-code --by \"Nguyễn Văn A\"";
    /// A code was made.
    PageCodeMade { by: String, code: String } =>
        "Mã cho {by}: {code}\nDùng một lần, trong 10 phút; gõ vào trang của đài, mục Đăng nhập",
        "Code for {by}: {code}\nGood once, within 10 minutes; type it into the station page, under Log in";
    /// Logins ended.
    PageRevoked { by: String, logins: u64 } => "Đã thu hồi {logins} lần đăng nhập của {by}", "Ended {logins} logins of {by}";

    // ---- editing (cli/edit.rs)
    /// Heading of the preview.
    EditPreview {} => "Sẽ phát trong 24 giờ tới (dấu -: bỏ đi, dấu +: thêm vào):", "Airs in the next 24 hours (-: goes, +: comes):";
    /// Heading of the preview, nothing changes.
    EditSamePlan {} => "Sẽ phát trong 24 giờ tới: không thay đổi", "Airs in the next 24 hours: no change";
    /// Nothing was planned before, because the file in force is broken.
    EditBeforeBroken {} => "Tệp đang có bị lỗi nên không so sánh được; sẽ phát trong 24 giờ tới:", "The present file is broken and cannot be compared; airs in the next 24 hours:";
    /// Nothing was written.
    EditUnchanged {} => "Không có gì thay đổi", "Nothing was changed";
    /// There are errors.
    EditErrors { errors: usize } =>
        "Có {errors} lỗi: chưa dùng được. Sửa tiếp? [Enter: sửa tiếp, b: bỏ, giữ tệp cũ] ",
        "{errors} errors: not usable yet. Go on editing? [Enter: yes, q: give up and keep the old file] ";
    /// The question at the end.
    EditConfirm { file: String } =>
        "Dùng bản mới của \"{file}\"? [c: dùng, s: sửa tiếp, Enter: bỏ] ",
        "Use the new \"{file}\"? [y: use it, e: go on editing, Enter: no] ";
    /// Given up.
    EditGivenUp {} => "Đã bỏ, giữ nguyên tệp cũ", "Given up; the old file stays";
    /// Written.
    EditDone { file: String, backup: String } =>
        "Đã ghi \"{file}\"; bản trước ở \"{backup}\"\nĐài đang chạy nhận sau vài giây, dùng từ buổi sau. Lấy lại bản trước: loaxa edit --undo",
        "\"{file}\" is written; the version before is \"{backup}\"\nA running station takes it within seconds, from the next session on. To go back: loaxa edit --undo";
    /// Somebody else changed the file.
    EditRaced { file: String, draft: String } =>
        "\"{file}\" đã bị người khác sửa trong lúc này: chưa ghi\n  Bản vừa sửa ở \"{draft}\"; chạy lại loaxa edit",
        "\"{file}\" was changed by somebody else meanwhile: nothing written\n  What you edited is in \"{draft}\"; run loaxa edit again";
    /// The editor failed.
    EditorFailed { editor: String, why: String } =>
        "không chạy được trình soạn thảo \"{editor}\": {why}\n  Đặt EDITOR, ví dụ: EDITOR=nano loaxa edit",
        "cannot run the editor \"{editor}\": {why}\n  Set EDITOR, as in: EDITOR=nano loaxa edit";
    /// No file to edit.
    EditNoFile { file: String, why: String } => "không đọc được \"{file}\": {why}", "cannot read \"{file}\": {why}";
    /// Not written.
    EditCannotWrite { file: String, why: String } =>
        "không ghi được \"{file}\": {why}\n  Chạy bằng sudo",
        "cannot write \"{file}\": {why}\n  Use sudo";
    /// No local list.
    EditNoLocal {} => "cấu hình không có [local]: không có danh sách của xã để sửa", "the config has no [local]: there is no list of the commune's own to edit";
    /// No backup.
    EditNoBackup { file: String } => "không có bản trước nào của \"{file}\"", "there is no version before of \"{file}\"";

    // ---- commands (cli/)
    /// Nobody was heard.
    FleetNobody {} =>
        "không thấy đài nào trong nhật ký truy cập\n  Kiểm tra máy chủ web ghi nhật ký dạng combined, có User-Agent",
        "no station in these access logs\n  The web server must write the combined format, with the User-Agent";
    /// Heading.
    FleetHeadStation {} => "Đài", "Station";
    /// Heading.
    FleetHeadBox {} => "Máy", "Box";
    /// Heading.
    FleetHeadHeard {} => "Liên lạc lần cuối", "Last heard";
    /// Heading.
    FleetHeadSerial {} => "Bản số", "List";
    /// Heading.
    FleetHeadKeys {} => "keys.json", "keys.json";
    /// Heading.
    FleetHeadState {} => "Tình trạng", "State";
    /// Heading.
    FleetHeadAired {} => "Phát lần cuối", "Last aired";
    /// Heading.
    FleetHeadShort {} => "Thiếu chỉ tiêu", "Short of quota";
    /// A silent one.
    FleetSilent { at: String } => "IM LẶNG từ {at}", "SILENT since {at}";
    /// A state.
    FleetOnAir {} => "Đang phát", "On air";
    /// The last line.
    FleetSum { boxes: usize, silent: usize } =>
        "{boxes} máy, {silent} máy im lặng quá 1 giờ",
        "{boxes} boxes, {silent} silent for over an hour";
    /// An access log agrees.
    WitnessFine { heads: u64 } =>
        "nhật ký khớp với {heads} dấu mà máy chủ đã ghi",
        "the log agrees with {heads} heads the server has seen";
    /// An access log says nothing of this log.
    WitnessNothing {} =>
        "máy chủ chưa ghi dấu nào của nhật ký này",
        "the server has seen no head of this log";
    /// Rows were changed after the server had seen them.
    WitnessDiffers { seq: u64, at: String, seen: String } =>
        "HỎNG: dòng {seq} không phải dòng mà máy chủ đã thấy lúc {at} (dấu {seen}): nhật ký bị viết lại, hoặc nhật ký truy cập không thật",
        "BROKEN: row {seq} is not the one the server saw at {at} (head {seen}): the log was written anew, or the access log is not genuine";
    /// Rows the server had seen are gone.
    WitnessBeyond { seq: u64, at: String, last: u64 } =>
        "HỎNG: máy chủ đã thấy dòng {seq} lúc {at}, nay nhật ký chỉ còn đến dòng {last}: các dòng sau đã mất",
        "BROKEN: the server saw row {seq} at {at}, the log now ends at row {last}: the rows after it are gone";
    /// Another log was there before.
    WitnessOther { log: String, seq: u64, at: String } =>
        "CẢNH BÁO: máy này từng có nhật ký khác ({log}), có {seq} dòng lúc {at}: tìm bản đã xuất hoặc thẻ nhớ cũ",
        "WARNING: this box had another log ({log}), with {seq} rows at {at}: look for its export or the old card";
    /// The demo begins.
    DemoBegins { dir: String } =>
        "BẢN THỬ (LOAXA_TRIAL=1): mọi tệp nằm trong {dir}",
        "TRIAL (LOAXA_TRIAL=1): everything is in {dir}";
    /// The folder holds a demo.
    DemoFolderTaken { dir: String } =>
        "thư mục \"{dir}\" đã có một lần chạy thử\n  Chọn thư mục khác cho --keep",
        "\"{dir}\" holds an earlier demo\n  Choose another folder for --keep";
    /// A step did not work.
    DemoStepFailed { command: String, said: String } =>
        "bước \"loaxa {command}\" không xong:\n{said}",
        "the step \"loaxa {command}\" failed:\n{said}";
    /// Keys made, list published.
    DemoPublished { key: String } =>
        "1. Tỉnh tạo khóa và phát hành danh sách; khóa công khai: {key}",
        "1. The province made keys and published its list; public key: {key}";
    /// Served.
    DemoServes { url: String } =>
        "2. Máy chủ web của tỉnh: {url}",
        "2. The province's web server: {url}";
    /// Synced.
    DemoSynced { serial: u64 } =>
        "3. Đài xã đã nhận bản mới số {serial}, kiểm tra chữ ký và từng tệp âm thanh",
        "3. The commune's station received list {serial} and checked its signature and every clip";
    /// The session's start.
    DemoStarts { at: String, device: String } =>
        "4. Buổi thử bắt đầu đúng {at} (đầu ra: {device})",
        "4. The session starts at {at} sharp (output: {device})";
    /// Waited in vain.
    DemoWaits { what: String, log: String } =>
        "chờ mãi không thấy \"{what}\"\n  Xem {log}",
        "waited in vain for \"{what}\"\n  See {log}";
    /// Nothing was heard.
    DemoSilent { device: String } =>
        "Không phát ra loa (đầu ra {device}): các lượt này không tính vào chỉ tiêu",
        "Nothing came out of a loudspeaker (output {device}): these airings count in no quota";
    /// Not everything aired.
    DemoFailed {} =>
        "có bài không phát đủ hoặc nhật ký không nguyên vẹn",
        "something did not air whole, or the log is not whole";
    /// Heading.
    HeadStartError {} => "Lệch giờ", "Start error";
    /// Nobody listens on the socket.
    NoDaemon { dir: String } =>
        "chương trình phát thanh không chạy (thư mục dữ liệu \"{dir}\")\n  Khởi động: sudo systemctl start loaxa",
        "the daemon is not running (state folder \"{dir}\")\n  Start it: sudo systemctl start loaxa";
    /// The socket may not be opened.
    SocketNoAccess { file: String, why: String } =>
        "không nối được với chương trình phát thanh qua \"{file}\": {why}\n  Chạy bằng sudo, hoặc thêm người dùng vào nhóm loaxa",
        "cannot reach the daemon through \"{file}\": {why}\n  Use sudo, or join the group loaxa";
    /// The daemon went away.
    DaemonSilent { why: String } =>
        "chương trình phát thanh không trả lời: {why}\n  Xem: journalctl -u loaxa -n 50",
        "the daemon did not answer: {why}\n  See: journalctl -u loaxa -n 50";
    /// A trial.
    TrialNote {} =>
        "BẢN THỬ: máy này chạy thử (LOAXA_TRIAL=1)",
        "TRIAL: this machine runs a trial (LOAXA_TRIAL=1)";
    /// What comes next.
    NextAiring { at: String, title: String } =>
        "Bài tiếp theo: {at} {title}",
        "Next: {at} {title}";
    /// Nothing comes.
    NothingPlanned {} =>
        "Không có bài nào trong lịch",
        "Nothing is planned";
    /// The clock.
    ClockLine { now: String, state: String } =>
        "Đồng hồ: {now} ({state})",
        "Clock: {now} ({state})";
    /// The output.
    OutputLine { device: String } =>
        "Đầu ra: {device}",
        "Output: {device}";
    /// A source.
    SourceLine { source: String, serial: String, last: String, expires: String } =>
        "Đơn vị gửi {source}: bản số {serial}, liên lạc lần cuối {last}, hết hạn {expires}",
        "Source {source}: list {serial}, last contact {last}, expires {expires}";
    /// The keys of a source, where root keys are pinned.
    SourceKeysLine { version: u64 } => "keys.json bản {version}", "keys.json version {version}";
    /// The log.
    LogLine { seq: u64, head: String, up: String } =>
        "Nhật ký: {seq} dòng, mã cuối {head}; chạy được {up}",
        "Log: {seq} rows, head {head}; up for {up}";
    /// A campaign's days follow, one a line.
    CampaignLine { title: String, id: String } =>
        "Đợt tuyên truyền \"{title}\" ({id}), mỗi ngày: đã phát/theo lịch/chỉ tiêu",
        "Campaign \"{title}\" ({id}), each day: aired/planned/quota";
    /// Something is wrong.
    AlarmLine { since: String, text: String } =>
        "CẢNH BÁO (từ {since}): {text}",
        "CẢNH BÁO (since {since}): {text}";
    /// A duration cannot be read.
    ArgumentDuration { text: String } =>
        "không hiểu khoảng thời gian \"{text}\"\n  Viết như 90s, 30m, 2h",
        "cannot read the duration \"{text}\"\n  Write it like 90s, 30m, 2h";
    /// A time cannot be read.
    ArgumentTime { text: String } =>
        "không hiểu thời điểm \"{text}\"\n  Viết như 2022-10-05T05:30 hoặc 2022-10-05",
        "cannot read the time \"{text}\"\n  Write it like 2022-10-05T05:30 or 2022-10-05";
    /// An emergency for a rehearsal cannot be read.
    BadEmergency { text: String } =>
        "không hiểu \"{text}\"\n  Viết bài@lúc, bài@lúc..đến lúc, hoặc thêm /nhịp lặp, như bao@2022-10-08T17:06..2022-10-08T18:00/10m",
        "cannot read \"{text}\"\n  Write CLIP@TIME, CLIP@TIME..TIME, or with /EVERY, like bao@2022-10-08T17:06..2022-10-08T18:00/10m";
    /// What comes into force later cannot be read.
    BadLater { text: String } =>
        "không hiểu \"{text}\"\n  Viết lúc=tệp, như 2022-10-05T05:20=local.toml: tệp là danh sách cấp trên, local.toml hoặc station.toml",
        "cannot read \"{text}\"\n  Write TIME=FILE, like 2022-10-05T05:20=local.toml: a list from above, local.toml or station.toml";
    /// A clip and a moment cannot be read.
    BadClipMoment { text: String } =>
        "không hiểu \"{text}\"\n  Viết bài@lúc, như tinh/cd1@2022-10-05T09:00, hoặc bài@lúc đầu..lúc cuối",
        "cannot read \"{text}\"\n  Write CLIP@TIME, like tinh/cd1@2022-10-05T09:00, or CLIP@FROM..TO";
    /// A withdrawal for a rehearsal cannot be read.
    BadWithdrawal { text: String } =>
        "không hiểu \"{text}\"\n  Viết như clip:tinh/cd2@2022-10-05T08:10; ngoài clip còn offer, slot, emergency",
        "cannot read \"{text}\"\n  Write it like clip:tinh/cd2@2022-10-05T08:10; beside clip: offer, slot, emergency";
    /// A stretch of time cannot be read.
    BadStretch { text: String } =>
        "không hiểu khoảng \"{text}\"\n  Viết lúc đầu..lúc cuối, như 2022-10-05T05:37..2022-10-05T05:50",
        "cannot read the stretch \"{text}\"\n  Write FROM..TO, like 2022-10-05T05:37..2022-10-05T05:50";
    /// A step of the clock cannot be read.
    BadStep { text: String } =>
        "không hiểu bước nhảy đồng hồ \"{text}\"\n  Viết như 2022-10-05T05:37=+1h hoặc 2022-10-05T05:37=-90s",
        "cannot read the clock step \"{text}\"\n  Write it like 2022-10-05T05:37=+1h or 2022-10-05T05:37=-90s";
    /// The end lies before the beginning.
    FromAfterTo {} =>
        "--from phải trước --to",
        "--from must come before --to";
    /// Silent until a time.
    StoppedUntil { until: String } =>
        "Đã dừng đến {until}\n  Phát tiếp sớm hơn: loaxa resume",
        "Stopped until {until}\n  To go on earlier: loaxa resume";
    /// Silent until resumed.
    StoppedForGood {} =>
        "Đã dừng cho đến khi bật lại\n  Phát tiếp: loaxa resume",
        "Stopped until resumed\n  To go on: loaxa resume";
    /// A mistake on the command line.
    UsageUnknown { what: String } =>
        "không có tùy chọn \"{what}\" ở lệnh này\n  Xem các tùy chọn: thêm --help",
        "this command has no option \"{what}\"\n  To see its options add --help";
    /// A mistake on the command line.
    UsageNoCommand { what: String } =>
        "không có lệnh \"{what}\"\n  Xem các lệnh: loaxa --help",
        "there is no command \"{what}\"\n  To see the commands: loaxa --help";
    /// A mistake on the command line.
    UsageMissing { what: String } => "thiếu {what}\n  Xem cách dùng: thêm --help", "{what} is missing\n  To see how it is used add --help";
    /// A mistake on the command line.
    UsageBadValue { what: String, value: String } =>
        "{what} không nhận giá trị \"{value}\"\n  Xem các giá trị: thêm --help",
        "{what} does not take \"{value}\"\n  To see what it takes add --help";
    /// A mistake on the command line.
    UsageNotTogether { what: String, other: String } =>
        "{what} không dùng cùng {other}\n  Bỏ một trong hai",
        "{what} does not go with {other}\n  Leave out one of them";
    /// A mistake on the command line.
    UsageOther {} => "lệnh viết chưa đúng\n  Xem các lệnh: loaxa --help", "that is no command\n  To see the commands: loaxa --help";
    /// Going on.
    Resumed {} =>
        "Phát tiếp theo lịch",
        "Going on by the schedule";
    /// A clip has begun.
    PlayBegan { airing: String } =>
        "Đang phát ({airing})",
        "Playing ({airing})";
    /// An emergency has begun.
    EmergencyBegan { airing: String } =>
        "Đang phát khẩn cấp ({airing})\n  Thôi phát hẳn: sudo loaxa stop, rồi sudo loaxa resume",
        "The emergency is on the air ({airing})\n  To end it for good: sudo loaxa stop, then sudo loaxa resume";
    /// Only an emergency has these.
    OnlyForEmergency {} =>
        "--repeat, --gap, --every và --until chỉ dùng với --emergency\n  Thêm --emergency --by \"Họ tên\"",
        "--repeat, --gap, --every and --until go with --emergency only\n  Add --emergency --by \"NAME\"";
    /// `clock`: the clock of the machine.
    ClockShows { shown: String } =>
        "Đồng hồ của máy: {shown}",
        "The machine's clock: {shown}";
    /// `clock`: a leap is doubted, another time counts.
    ClockGoesBy { now: String } =>
        "Giờ loaxa đang theo: {now}",
        "The time that loaxa goes by: {now}";
    /// Why the clock is believed.
    ClockWhyAlways {} =>
        "Tin được: bản thử (trust = \"always\")",
        "Believed: a trial (trust = \"always\")";
    /// Why the clock is believed.
    ClockWhySynced {} =>
        "Tin được: máy đang lấy giờ qua mạng",
        "Believed: it follows the network's time";
    /// Why the clock is believed.
    ClockWhyRightBefore { ago: String, hold: String } =>
        "Tin được: {ago} trước đã lấy giờ qua mạng; còn tin trong {hold} kể từ đó",
        "Believed: it followed the network's time {ago} ago, and is believed for {hold} from then";
    /// Why the clock is believed.
    ClockWhyPerson { by: String, ago: String, hold: String } =>
        "Tin được: {by} đã đặt giờ {ago} trước; còn tin trong {hold} kể từ đó",
        "Believed: {by} set it {ago} ago, and it is believed for {hold} from then";
    /// Why the clock is believed.
    ClockWhyRtc {} =>
        "Tin được: máy có đồng hồ pin (trust = \"rtc\")",
        "Believed: the machine has a clock with a battery (trust = \"rtc\")";
    /// Why the clock is not believed.
    ClockWhyBelowFloor { floor: String } =>
        "Chưa tin được: sớm hơn {floor}, là lúc chắc chắn đã qua",
        "Not believed: it is before {floor}, which has certainly passed";
    /// Why the clock is not believed.
    ClockWhyLeaptOn { length: String } =>
        "Chưa tin được: vừa nhảy tới {length}",
        "Not believed: it leapt forward by {length}";
    /// Why the clock is not believed.
    ClockWhyLeaptBack { length: String } =>
        "Chưa tin được: vừa nhảy lùi {length}",
        "Not believed: it leapt back by {length}";
    /// When a leap is looked at again.
    ClockSecondLook { left: String } =>
        "  Xem lại sau {left}; máy phải đang lấy được giờ qua mạng",
        "  It is looked at again in {left}; the machine must follow the network's time then";
    /// Why the clock is not believed.
    ClockWhyTooLongAgo { ago: String, hold: String } =>
        "Chưa tin được: lần lấy giờ gần nhất đã {ago}, quá {hold}",
        "Not believed: the time was last right {ago} ago, longer than {hold}";
    /// Why the clock is not believed.
    ClockWhyNever {} =>
        "Chưa tin được: từ khi bật máy chưa lấy được giờ",
        "Not believed: since the machine was switched on nobody has told it the time";
    /// The way out.
    ClockWayOut {} =>
        "  Nối mạng và chờ, hoặc đặt giờ bằng tay: sudo loaxa clock set 2026-10-05T05:30:00 --by \"Họ tên\"",
        "  Connect the network and wait, or set it by hand: sudo loaxa clock set 2026-10-05T05:30:00 --by \"NAME\"";
    /// A person set the clock.
    ClockIsSet { now: String, until: String } =>
        "Đã đặt giờ {now}; tin được đến {until}",
        "The clock is set to {now}, and is believed until {until}";
    /// Setting the clock is not permitted.
    ClockNotPermitted {} =>
        "không đặt được giờ: chưa có quyền\n  Chạy lại với sudo: sudo loaxa clock set GIỜ --by TÊN",
        "cannot set the clock: not permitted\n  Run it with sudo: sudo loaxa clock set TIME --by NAME";
    /// Setting the clock failed.
    ClockSetFails { why: String } =>
        "không đặt được giờ: {why}\n  Xem: timedatectl",
        "cannot set the clock: {why}\n  See: timedatectl";
    /// A clip has ended.
    PlayedWhole { airing: String, length: String } =>
        "Đã phát đủ {length} ({airing})",
        "Played {length} ({airing})";
    /// No source in the config.
    NoSources {} =>
        "cấu hình không có đơn vị gửi nào ([[source]])",
        "the config names no source ([[source]])";
    /// A new list.
    SyncNew { source: String, serial: u64 } =>
        "{source}: đã nhận bản mới số {serial}",
        "{source}: list {serial} came into force";
    /// Nothing new.
    SyncSame { source: String, serial: String } =>
        "{source}: không có gì mới (bản số {serial})",
        "{source}: nothing new (list {serial})";
    /// Not reached or refused.
    SyncFailed { source: String, why: String } =>
        "{source}: chưa nhận được: {why}",
        "{source}: not received: {why}";
    /// A list is not good.
    ListRefused { file: String } =>
        "danh sách \"{file}\" có lỗi",
        "the list \"{file}\" has errors";
    /// A list does not say whose it is.
    ListWithoutSource { file: String } =>
        "danh sách \"{file}\" không ghi đơn vị gửi\n  Thêm dòng đầu: source = \"tinh\"",
        "the list \"{file}\" does not say whose it is\n  Add as its first line: source = \"tinh\"";
    /// A list of a source the config does not name.
    ListOfUnknownSource { file: String, source: String } =>
        "danh sách \"{file}\" là của \"{source}\", nhưng cấu hình không có đơn vị gửi này\n  Thêm [[source]] id = \"{source}\" vào station.toml",
        "the list \"{file}\" is from \"{source}\", which the config does not name\n  Add [[source]] id = \"{source}\" to station.toml";
    /// Heading.
    HeadDate {} => "Ngày", "Date";
    /// Heading.
    HeadTime {} => "Giờ", "Time";
    /// Heading.
    HeadSession {} => "Buổi phát", "Session";
    /// Heading.
    HeadClipId {} => "Mã bài", "Clip";
    /// Heading.
    HeadTitle {} => "Tiêu đề", "Title";
    /// Heading.
    HeadLength {} => "Thời lượng", "Length";
    /// The session's column of an emergency.
    EmergencyName { id: String } => "Khẩn cấp: {id}", "Emergency: {id}";
    /// An emergency sounds several times in a row.
    EmergencyTimes { count: u32 } => "phát {count} lần", "{count} times";
    /// Heading.
    HeadNote {} => "Ghi chú", "Note";
    /// Heading.
    HeadStart {} => "Bắt đầu", "Start";
    /// Heading.
    HeadPlayed {} => "Đã phát", "Played";
    /// Heading.
    HeadOutcome {} => "Kết quả", "Outcome";
    /// Heading.
    HeadReason {} => "Lý do", "Reason";
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

/// The level of a source, as shown to people.
pub fn origin_words(origin: Origin, language: Language) -> &'static str {
    match (origin, language) {
        (Origin::TrungUong, Language::Vi) => "Trung ương",
        (Origin::TrungUong, Language::En) => "central",
        (Origin::Tinh, Language::Vi) => "cấp tỉnh",
        (Origin::Tinh, Language::En) => "province",
        (Origin::Huyen, Language::Vi) => "cấp huyện",
        (Origin::Huyen, Language::En) => "district",
        (Origin::Xa, Language::Vi) => "cấp xã",
        (Origin::Xa, Language::En) => "commune",
        (Origin::Thon, Language::Vi) => "thôn",
        (Origin::Thon, Language::En) => "village",
    }
}

/// A weekday, Monday first, as shown to people.
pub fn weekday_words(from_monday: u32, language: Language) -> &'static str {
    let names = match language {
        Language::Vi => ["Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật"],
        Language::En => ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    };
    names[from_monday as usize % 7]
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

/// Why the system refused something, for the cause of a message; what has no words here is told as the system says it.
pub fn system_words(error: &std::io::Error, language: Language) -> String {
    use std::io::ErrorKind;
    let (vi, en) = match error.kind() {
        ErrorKind::NotFound => ("không có tệp hoặc thư mục này", "there is no such file or folder"),
        ErrorKind::PermissionDenied => ("không có quyền", "permission denied"),
        ErrorKind::IsADirectory => ("đây là thư mục, không phải tệp", "it is a folder, not a file"),
        ErrorKind::NotADirectory => ("đây không phải thư mục", "it is not a folder"),
        ErrorKind::StorageFull => ("đĩa đã đầy", "the disk is full"),
        ErrorKind::ReadOnlyFilesystem => ("đĩa chỉ cho đọc", "the disk is read-only"),
        _ => return error.to_string(),
    };
    if language == Language::Vi { vi.into() } else { en.into() }
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
    use std::collections::{BTreeMap, HashMap};
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What goes into a sentence in the golden files: by the name of the field, so that the whole reads as in life.
    pub(super) trait Sample {
        fn sample(field: &str) -> Self;
    }

    impl Sample for String {
        fn sample(field: &str) -> String {
            let sample = match field {
                "source" => "tinh",
                "file" => "local.toml",
                "path" => "clips/tin.mp3",
                "dir" | "folder" => "/var/lib/loaxa",
                "why" | "cause" | "message" => "không có quyền",
                "by" => "Nguyễn Văn A",
                "at" | "since" | "until" | "issued_at" | "expires_at" | "now" | "shown" | "floor" => {
                    "05:30 ngày 05/10/2022"
                }
                "date" | "from" | "first" => "05/10/2022",
                "to" | "last" => "10/10/2022",
                "length" | "ago" | "hold" | "overlap" | "left" => "1 phút 5 giây",
                "title" => "Nội dung Quyết định số 1092/QĐ-BTTTT",
                "clip" => "cd1",
                "campaign" => "tinh/cds-2022",
                "offer" => "tinh/cds",
                "slot" => "sang",
                "airing" => "local/sang/2022-10-05T05:30:00+07:00/4",
                "url" => "https://truyenthanh.example.vn/playlist.json",
                "address" => "192.168.1.20:8080",
                "station" => "Đài Truyền thanh xã Bình Minh",
                "serial" => "12",
                "device" => "default",
                "known" | "keys" | "words" | "ids" => "sang, chieu",
                "line" => "at = \"05:30\"",
                "key" => "at",
                "value" | "text" => "17 15",
                "number" => "647/TTCS-TQ",
                "code" => "12345678",
                "level" => "cấp tỉnh",
                "format" => "xlsx",
                other => return format!("‹{other}›"),
            };
            sample.to_owned()
        }
    }

    macro_rules! numbers {
        ($($kind:ty),*) => { $( impl Sample for $kind {
            fn sample(field: &str) -> $kind {
                match field {
                    "serial" => 12,
                    "seq" => 184,
                    "left" => 4,
                    "planned" => 1,
                    _ => 3,
                }
            }
        } )* };
    }
    numbers!(i64, u16, u32, u64, usize);

    impl Sample for char {
        fn sample(field: &str) -> char {
            if field == "found" { '”' } else { '"' }
        }
    }

    /// The section in which each sentence stands: by the headings of this file.
    fn sections() -> HashMap<&'static str, String> {
        let (mut section, mut by_name) = (String::new(), HashMap::new());
        let source = include_str!("text.rs").split_once("\nsentences! {").unwrap().1;
        for line in source.split("\n}\n").next().unwrap().lines().map(str::trim) {
            if let Some(heading) = line.strip_prefix("// ---- ") {
                section = heading.split(" (").next().unwrap().replace(' ', "-");
            } else if let Some((name, _)) = line.split_once(" {")
                && name.bytes().all(|b| b.is_ascii_alphanumeric())
            {
                by_name.insert(name, section.clone());
            }
        }
        by_name
    }

    /// Every sentence in both languages against `tests/golden/text`: a file for each section and language, so that two
    /// people who add sentences seldom meet. A new sentence needs its entry: `LOAXA_BLESS=1 cargo test --lib golden`
    /// writes them; then read what it wrote.
    #[test]
    fn every_sentence_is_as_in_the_golden_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/text");
        let sections = sections();
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for (language, ending) in [(Language::Vi, "vi"), (Language::En, "en")] {
            let mut entry = |section: &str, name: &str, said: &str| {
                let file = files.entry(format!("{section}.{ending}.txt")).or_default();
                file.push_str(&format!("# {name}\n{said}\n\n"));
            };
            for text in Text::samples() {
                let section = sections.get(text.name()).unwrap_or_else(|| panic!("no section: {}", text.name()));
                entry(section, text.name(), &text.say(language));
            }
            for outcome in Outcome::ALL {
                entry("words", outcome.key(), outcome_word(outcome, language));
            }
            for reason in Reason::ALL {
                entry("words", reason.key(), reason_words(reason, language));
            }
            use Origin::{Huyen, Thon, Tinh, TrungUong, Xa};
            for origin in [TrungUong, Tinh, Huyen, Xa, Thon] {
                entry("words", &format!("{origin:?}"), origin_words(origin, language));
            }
            for day in 0..7 {
                entry("words", &format!("weekday {day}"), weekday_words(day, language));
            }
            for kind in ClipKind::ALL {
                entry("words", &format!("{kind:?}"), clip_kind_words(kind, language));
            }
            for priority in [Priority::Emergency, Priority::Priority, Priority::Normal] {
                entry("words", &format!("{priority:?}"), priority_words(priority, language));
            }
            entry("words", "length", &length_words(3_725_000, language));
            use std::io::ErrorKind;
            for kind in [
                ErrorKind::NotFound,
                ErrorKind::PermissionDenied,
                ErrorKind::IsADirectory,
                ErrorKind::NotADirectory,
                ErrorKind::StorageFull,
                ErrorKind::ReadOnlyFilesystem,
            ] {
                entry("words", &format!("{kind:?}"), &system_words(&kind.into(), language));
            }
        }
        if std::env::var_os("LOAXA_BLESS").is_some() {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        }
        let mut wrong = String::new();
        let kept = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        kept.filter(|name| !files.contains_key(name))
            .for_each(|name| wrong.push_str(&format!("{name}: no such section\n")));
        for (name, text) in &files {
            let golden = fs::read_to_string(folder.join(name)).unwrap_or_default();
            let of =
                |text: &str| -> Vec<String> { text.split("# ").skip(1).map(|e| e.trim_end().to_owned()).collect() };
            let (now, golden) = (of(text), of(&golden));
            for entry in now.iter().filter(|e| !golden.contains(e)) {
                wrong.push_str(&format!("{name}: not in the golden file: {entry}\n"));
            }
            for entry in golden.iter().filter(|e| !now.contains(e)) {
                wrong.push_str(&format!("{name}: no longer said: {entry}\n"));
            }
        }
        assert!(wrong.is_empty(), "{wrong}LOAXA_BLESS=1 cargo test --lib golden writes them anew; read what it wrote");
    }

    /// Official Vietnamese, of the words people chose: no calques, nothing left in English, lower case and no full stop
    /// where a cause follows.
    #[test]
    fn sentences_keep_to_the_words() {
        for text in Text::samples() {
            let (vi, en) = (text.say(Language::Vi), text.say(Language::En));
            let low = vi.to_lowercase();
            for calque in ["chiến dịch", "phát sóng", "file ", "folder", "click", "download", "upload", "server"]
            {
                assert!(!low.contains(calque), "{}: {calque}: {vi}", text.name());
            }
            for said in [&vi, &en] {
                assert!(
                    !said.contains("  ") || said.contains("\n  ") || said.starts_with("  "),
                    "{}: {said}",
                    text.name()
                );
                let asks = said.ends_with(' ') && text.name().starts_with("Edit");
                assert!(asks || said.trim_end() == said.as_str(), "{}: {said:?}", text.name());
            }
        }
    }

    #[test]
    fn lengths_leave_out_what_is_nought() {
        assert_eq!(length_words(65_000, Language::Vi), "1 phút 5 giây");
        assert_eq!(length_words(3_600_000, Language::Vi), "1 giờ");
        assert_eq!(length_words(0, Language::En), "0 s");
    }
}
