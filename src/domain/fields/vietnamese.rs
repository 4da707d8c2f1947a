//! Keys written in Vietnamese or in another table than their own: which one was meant, and where it belongs.

use super::names::{fold, nearest};

/// Vietnamese keys people write, and the key of the same meaning; of several the first that the table has.
const VIETNAMESE: &[(&str, &[&str])] = &[
    ("ma", &["id"]),
    ("ma_bai", &["id", "clip"]),
    ("ten", &["name", "title", "id"]),
    ("ten_bai", &["title"]),
    ("tieu_de", &["title"]),
    ("tep", &["file"]),
    ("tep_am_thanh", &["file"]),
    ("tap_tin", &["file"]),
    ("loai", &["kind"]),
    ("loai_bai", &["kind"]),
    ("bai", &["clips", "clip", "items"]),
    ("cac_bai", &["clips", "items"]),
    ("noi_dung", &["items", "title"]),
    ("muc", &["items"]),
    ("buoi_phat", &["slots", "slot"]),
    ("lich", &["slots", "at"]),
    ("lich_phat", &["slots"]),
    ("lich_phat_thanh", &["slots"]),
    ("gio", &["at", "from"]),
    ("gio_phat", &["at"]),
    ("thoi_gian", &["at", "from"]),
    ("luc", &["at"]),
    ("thu", &["days"]),
    ("ngay", &["days", "dates", "date"]),
    ("cac_ngay", &["dates", "days"]),
    ("tu", &["from"]),
    ("tu_ngay", &["from"]),
    ("tu_gio", &["from"]),
    ("bat_dau", &["from", "start"]),
    ("den", &["to", "until"]),
    ("den_ngay", &["to", "until"]),
    ("den_gio", &["to", "until"]),
    ("ket_thuc", &["to", "until"]),
    ("tru", &["except"]),
    ("tru_ngay", &["except"]),
    ("ngoai_tru", &["except"]),
    ("uu_tien", &["priority"]),
    ("muc_uu_tien", &["priority"]),
    ("nguoi_duyet", &["approved_by"]),
    ("duyet", &["approved_by"]),
    ("ngay_duyet", &["approved_at"]),
    ("van_ban_duyet", &["approved_doc"]),
    ("so_van_ban", &["doc_number"]),
    ("so_ky_hieu", &["doc_number"]),
    ("ngay_van_ban", &["doc_date"]),
    ("dot", &["campaign", "campaigns"]),
    ("dot_tuyen_truyen", &["campaign", "campaigns"]),
    ("chien_dich", &["campaign", "campaigns"]),
    ("chu_de", &["topic", "topics"]),
    ("chi_tieu", &["min_per_day"]),
    ("luan_phien", &["rotations", "rotation"]),
    ("xoay_vong", &["rotations", "rotation"]),
    ("ngay_dac_biet", &["special_days"]),
    ("bo", &["skip"]),
    ("bo_qua", &["skip"]),
    ("thu_hoi", &["withdrawals"]),
    ("ly_do", &["why"]),
    ("nguoi", &["by"]),
    ("khan_cap", &["emergencies", "emergency"]),
    ("lap_lai", &["repeat"]),
    ("cach", &["gap", "every"]),
    ("moi", &["every"]),
    ("dai", &["station", "length"]),
    ("dai_truyen_thanh", &["station"]),
    ("tram", &["station", "stations"]),
    ("cac_dai", &["stations"]),
    ("nhom", &["groups"]),
    ("ma_thiet_bi", &["device_id"]),
    ("mui_gio", &["timezone"]),
    ("ngon_ngu", &["language"]),
    ("cum_loa", &["clusters"]),
    ("so_loa", &["speakers"]),
    ("loa", &["speakers"]),
    ("thu_muc", &["dir"]),
    ("nguon", &["source"]),
    ("don_vi_gui", &["source"]),
    ("cap", &["origin"]),
    ("dia_chi", &["url", "listen"]),
    ("khoa", &["public_keys", "root_keys"]),
    ("khoa_cong_khai", &["public_keys"]),
    ("khoa_goc", &["root_keys"]),
    ("nguong", &["threshold"]),
    ("danh_sach", &["playlist", "items"]),
    ("thiet_bi", &["device"]),
    ("dau_ra", &["output"]),
    ("am_luong", &["gain_db"]),
    ("am_thanh", &["output", "file"]),
    ("gio_yen_lang", &["quiet_hours"]),
    ("gio_yen_tinh", &["quiet_hours"]),
    ("gio_im_lang", &["quiet_hours"]),
    ("gio_khong_phat", &["quiet_hours"]),
    ("gio_khong_phat_loa", &["quiet_hours"]),
    ("gio_nghi", &["quiet_also", "quiet_hours"]),
    ("quyet_dinh", &["shorter_by", "approved_doc"]),
    ("buoi", &["daypart", "slots"]),
    ("thoi_luong", &["length", "duration_ms", "max_length"]),
    ("do_dai", &["length", "max_length"]),
    ("toi_da", &["max_length"]),
    ("tre", &["late"]),
    ("cho", &["wait_up_to"]),
    ("trang", &["page"]),
    ("trang_web", &["page"]),
    ("nhat_ky", &["log"]),
    ("giu", &["keep"]),
    ("dong_ho", &["time"]),
    ("gio_he_thong", &["time"]),
    ("cuc_bo", &["local"]),
    ("tiep_song", &["slots"]),
];

/// The English key for a Vietnamese one, or the same without marks.
pub fn english_key(written: &str) -> String {
    let folded = fold(written);
    match VIETNAMESE.iter().find(|(vi, _)| *vi == folded) {
        Some((_, keys)) => keys[0].to_owned(),
        None => folded,
    }
}

/// The key of a table that somebody meant by another spelling.
pub(super) fn keys_meant<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let folded = fold(written);
    if let Some(same) = known.iter().find(|k| **k == folded) {
        return Some(same);
    }
    let of_meaning = VIETNAMESE
        .iter()
        .find(|(vi, _)| *vi == folded)
        .and_then(|(_, keys)| keys.iter().find_map(|k| known.iter().find(|known| *known == k)));
    of_meaning.copied().or_else(|| nearest(&folded, known.iter().copied()))
}

/// Keys and the tables they belong to, for those that end up under another header.
const HOMES: &[(&str, &str)] = &[
    ("timezone", "[station]"),
    ("language", "[station]"),
    ("device_id", "[station]"),
    ("clusters", "[station]"),
    ("speakers", "[station]"),
    ("dir", "[state]"),
    ("clips_quota", "[state]"),
    ("keep_aired", "[state]"),
    ("origin", "[[source]]"),
    ("url", "[[source]]"),
    ("public_keys", "[[source]]"),
    ("root_keys", "[[source]]"),
    ("threshold", "[[source]]"),
    ("poll", "[[source]]"),
    ("playlist", "[local]"),
    ("device", "[output]"),
    ("pre_roll", "[output]"),
    ("on_start", "[output]"),
    ("on_stop", "[output]"),
    ("shorter_by", "[quiet_hours]"),
    ("trust", "[time]"),
    ("hold", "[time]"),
    ("hosts", "[page]"),
    ("listen", "[page]"),
    ("keep", "[log]"),
    ("source", ""),
    ("groups", ""),
    ("doc_number", "[[campaigns]]"),
    ("doc_date", "[[campaigns]]"),
    ("topics", "[[campaigns]]"),
    ("min_per_day", "[[campaigns]]"),
    ("file", "[[clips]]"),
    ("topic", "[[clips]]"),
    ("campaign", "[[clips]]"),
    ("approved_by", "[[clips]]"),
    ("approved_at", "[[clips]]"),
    ("approved_doc", "[[clips]]"),
    ("sessions_per_day", "[[offers]]"),
    ("at", "[[slots]]"),
    ("cron", "[[slots]]"),
    ("late", "[[slots]]"),
    ("wait_up_to", "[[slots]]"),
    ("max_length", "[[slots]]"),
    ("resume", "[[slots]]"),
    ("length", "[[slots]]"),
    ("skip", "[[special_days]]"),
    ("repeat", "[[emergencies]]"),
    ("gap", "[[emergencies]]"),
    ("every", "[[emergencies]]"),
];

pub(super) fn home_of(key: &str, place: &str) -> Option<&'static str> {
    HOMES.iter().find(|(k, home)| *k == key && *home != place).map(|(_, home)| *home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_vietnamese_find_their_english_one() {
        assert_eq!(keys_meant("gio_yen_lang", &["station", "quiet_hours"]), Some("quiet_hours"));
        assert_eq!(keys_meant("Giờ yên lặng", &["station", "quiet_hours"]), Some("quiet_hours"));
        assert_eq!(keys_meant("approvedby", &["approved_by", "approved_at"]), Some("approved_by"));
        assert_eq!(keys_meant("zzz", &["approved_by"]), None);
    }

    #[test]
    fn every_vietnamese_key_is_written_as_fold_writes_it() {
        for (vi, _) in VIETNAMESE {
            assert_eq!(fold(vi), *vi);
        }
    }
}
