//! What it costs to know a statement: nanoseconds and visits to the allocator.

use std::alloc::System;
use std::hint::black_box;
use std::time::Instant;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tideover::route::route;
use tideover::sql::{Cache, Dialect, classify};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const DIALECT: Dialect = Dialect::MARIADB;
/// Makes one of many texts.
type Text = fn(usize) -> String;
/// Different texts of a sort: the processor must not learn one by heart.
const VARIANTS: usize = 512;
const ROUNDS: usize = 200;

/// Lexer, effects and route of texts not seen before, of one that was, and the route alone, which is what the execution of a
/// prepared statement costs.
pub(crate) fn print() {
    println!("{:<18} {:>5} {:>10} {:>10} {:>10} {:>12}", "", "bytes", "new", "seen", "known", "allocations");
    let sorts: [(&str, Text); 5] = [
        ("SELECT 1", |n| format!("SELECT {n}")),
        ("point select", |n| format!("SELECT c FROM sbtest{} WHERE id={}", n % 9, n * 7919)),
        ("update", |n| format!("UPDATE sbtest{} SET k=k+1 WHERE id={}", n % 9, n * 7919)),
        ("short join", |n| {
            format!(
                "SELECT o.id, c.name FROM orders AS o JOIN customers AS c ON c.id = o.customer_id WHERE o.id = {n}"
            )
        }),
        ("join of 500 bytes", join),
    ];
    for (name, text) in sorts {
        let texts: Vec<String> = (0..VARIANTS).map(text).collect();
        let length = texts.iter().map(String::len).sum::<usize>() / VARIANTS;
        let new = measure(&texts, |text| {
            black_box(route(&classify(text.as_bytes(), DIALECT)));
        });
        let mut cache = Cache::default();
        let last = texts.last().cloned().unwrap_or_default();
        let seen = measure(&vec![last.clone(); VARIANTS], |text| {
            black_box(route(&cache.classify(text.as_bytes(), DIALECT)));
        });
        let statement = classify(last.as_bytes(), DIALECT);
        let known = measure(&texts, |_| {
            black_box(route(black_box(&statement)));
        });
        println!(
            "{name:<18} {length:>5} {:>7.1} ns {:>7.1} ns {:>7.1} ns {:>5} new, {} seen",
            new.0, seen.0, known.0, new.1, seen.1
        );
    }
}

/// Nanoseconds for one text, the best of all rounds (what else the machine does only adds), and allocations for all texts
/// in one round, the last.
fn measure(texts: &[String], mut run: impl FnMut(&str)) -> (f64, usize) {
    let (mut best, mut allocations) = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        let region = Region::new(ALLOCATOR);
        let began = Instant::now();
        for text in texts {
            run(black_box(text));
        }
        best = best.min(began.elapsed().as_secs_f64() * 1e9 / texts.len() as f64);
        allocations = region.change().allocations;
    }
    (best, allocations)
}

/// Of some 500 bytes, with other names, joins and conditions each time.
fn join(n: usize) -> String {
    let mut draw = (n as u32).wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = |below: u32| {
        draw ^= draw << 13;
        draw ^= draw >> 17;
        draw ^= draw << 5;
        draw % below
    };
    const TABLES: [&str; 6] =
        ["orders", "customers", "order_lines", "payments", "shipping_addresses", "items"];
    const COLUMNS: [&str; 8] =
        ["id", "name", "created_at", "customer_id", "state", "quantity", "price", "`Country`"];
    let mut column = || {
        let alias = ["a", "b", "c"][next(3) as usize];
        format!("{alias}.{}", COLUMNS[next(8) as usize])
    };
    let mut text = "SELECT ".to_owned();
    for place in 0..4 {
        text += &format!("{}{}", if place > 0 { ", " } else { "" }, column());
    }
    let functions = ["SUM", "COUNT", "MAX", "COALESCE", "LOWER"];
    text += &format!(", {}({}) AS total FROM ", functions[n % 5], column());
    text += &format!("{} AS a", TABLES[n % 6]);
    for (place, alias) in ["b", "c"].iter().enumerate() {
        let kind = ["INNER JOIN", "LEFT JOIN", "JOIN"][(n / 3 + place) % 3];
        let table = TABLES[(n / 7 + place) % 6];
        text += &format!(" {kind} {table} AS {alias} ON {} = {}", column(), column());
    }
    text += &format!(" WHERE {} IN ('new', 'paid', 'sent{n}')", column());
    while text.len() < 424 {
        text += &match text.len() % 4 {
            0 => format!(" AND {} >= '2024-01-{}'", column(), n % 28 + 1),
            1 => format!(" AND {} BETWEEN {} AND {}.5", column(), n, n + 100),
            2 => format!(" AND ({} = {} OR {} IS NOT NULL)", column(), n, column()),
            _ => format!(" AND {} LIKE '%x{n}%'", column()),
        };
    }
    text + &format!(" GROUP BY {}, {} ORDER BY {} DESC LIMIT {}", column(), column(), column(), n % 90)
}
