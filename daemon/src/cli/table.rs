//! Plain tables for terminals, and the words for sizes and ages.

/// Lines up rows under their headings; columns are as wide as their widest cell.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(headings.get(column).map(|h| h.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// A size in the unit that reads best, such as `4.2 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("B");
    if unit == 0 {
        format!("{bytes} {name}")
    } else {
        format!("{value:.1} {name}")
    }
}

/// An age in words, such as `1.2 s` or `3 min`.
#[must_use]
pub fn age(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        60_000..3_600_000 => format!("{} min", milliseconds / 60_000),
        _ => format!("{} h", milliseconds / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["n1".to_owned(), "up".to_owned()],
            vec!["node-two".to_owned(), "down".to_owned()],
        ];
        assert_eq!(
            table(&["NODE", "STATE"], &rows),
            "NODE      STATE\nn1        up\nnode-two  down\n"
        );
    }

    #[test]
    fn sizes_and_ages_read_well() {
        assert_eq!(
            [size(12), size(1_536), size(5 << 30)],
            ["12 B", "1.5 KiB", "5.0 GiB"]
        );
        assert_eq!(
            [age(7), age(1_250), age(61_000), age(7_200_000)],
            ["7 ms", "1.2 s", "1 min", "2 h"]
        );
    }
}
