//! What is printed: a table for each case, what was left out and why, and the comparison with the peers.

use comfy_table::{CellAlignment, Table, presets};

use crate::compare;
use crate::outcome::{Outcome, Row};

/// Prints a case.
pub(crate) fn print(outcome: &Outcome) {
    println!("\n{}", outcome.case);
    if !outcome.rows.is_empty() {
        println!("{}", table(outcome));
    }
    for row in outcome.rows.iter().filter(|row| !row.lacks.is_empty()) {
        println!("  {} does less than asked: {}", row.subject, row.lacks.join(", "));
    }
    for row in &outcome.rows {
        if let Some(calls) = &row.calls {
            println!("  {}: {calls}", row.subject);
        }
    }
    for skipped in &outcome.skipped {
        println!(
            "  skipped{}: {}",
            skipped.subject.as_ref().map_or(String::new(), |name| format!(" {name}")),
            skipped.reason
        );
    }
}

/// Prints the comparison.
pub(crate) fn print_peers(outcomes: &[Outcome]) {
    println!();
    for line in compare::lines(outcomes) {
        println!("{line}");
    }
}

fn table(outcome: &Outcome) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let rates = outcome.rows.iter().any(|row| row.rate.is_some());
    let mut header = vec!["subject", "n", "min us", "p50 us", "p99 us", "x floor"];
    if rates {
        header.extend(["spawns/s", "one thread", "x one thread"]);
    }
    if outcome.rows.iter().any(|row| row.syscalls.is_some()) {
        header.push("system calls");
    }
    if outcome.rows.iter().any(|row| row.peak_rss_kib.is_some()) {
        header.push("peak KiB");
    }
    if outcome.rows.iter().any(|row| row.private_kib.is_some()) {
        header.push("private KiB");
    }
    if outcome.rows.iter().any(|row| row.many.is_some()) {
        header.extend(["first us", "last us", "x first", "host KiB"]);
    }
    table.set_header(header);
    for row in &outcome.rows {
        table.add_row(cells(outcome, row));
    }
    for index in 1..table.column_count() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn cells(outcome: &Outcome, row: &Row) -> Vec<String> {
    let ratio = outcome.vs_floor(row).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
    let mark = if row.lacks.is_empty() { "" } else { " *" };
    let mut cells = vec![format!("{}{mark}", row.subject), row.n.to_string()];
    cells.extend([row.min_us, row.p50_us, row.p99_us].map(micros));
    cells.push(ratio);
    if let Some(rate) = row.rate {
        cells.extend([rate.per_second, rate.per_second_one_thread].map(|rate| format!("{rate:.0}")));
        cells.push(format!("{:.2}", rate.per_second / rate.per_second_one_thread));
    }
    cells.extend(row.syscalls.map(|calls| format!("{calls:.1}")));
    cells.extend(row.peak_rss_kib.map(|peak| peak.to_string()));
    cells.extend(row.private_kib.map(|memory| memory.to_string()));
    if let Some(many) = row.many {
        cells.extend([many.first_us, many.last_us].map(micros));
        cells.extend([format!("{:.2}", many.last_us / many.first_us), format!("{:.0}", many.host_kib)]);
    }
    cells
}

/// Three digits, so that short operations differ.
fn micros(us: f64) -> String {
    let digits = if us < 10.0 { 2 } else { usize::from(us < 100.0) };
    format!("{us:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::sample_outcome;

    #[test]
    fn the_table_has_a_line_for_each_subject() {
        let text = table(&sample_outcome()).to_string();
        for part in ["cofferdam", "1.10", "22.00", "2200"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
