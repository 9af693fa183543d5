//! The headings of tables: what vendors, spreadsheets and people call a column, in the languages they write.
//!
//! Invariants: names of one meaning are ranked, and the lowest rank that a header has wins (`serial number` before `id`);
//! two columns of one rank are a question and never a choice. A heading is repeated in a report, so nothing that looks
//! like a secret is one.

use super::characters;
use super::delimited::SplitLine;
use super::options::{Encoding, KindName};
use super::seed_encoding;

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Serial,
    Secret,
    Kind,
    Algorithm,
    Digits,
    Period,
    Counter,
    /// The period of a TOTP token and the counter of a HOTP token.
    Movement,
    Vendor,
    Model,
    /// The owner. Not read here: `token assign --from` is for that.
    Owner,
    /// Row numbers, dates, remarks: they say nothing about codes.
    Beside,
}

impl Meaning {
    /// Its name in a report.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Serial => "serial number",
            Self::Secret => "secret",
            Self::Kind => "type",
            Self::Algorithm => "hash",
            Self::Digits => "digits",
            Self::Period => "period",
            Self::Counter => "counter",
            Self::Movement => "period or counter",
            Self::Vendor => "manufacturer",
            Self::Model => "model",
            Self::Owner => "owner, not read",
            Self::Beside => "says nothing about codes, not read",
        }
    }
}

use Meaning::{Algorithm, Beside, Counter, Digits, Kind, Model, Movement, Owner, Period, Secret, Serial, Vendor};

/// Names as [`folded`] leaves them: the best of a meaning first.
const NAMES: &[(Meaning, &[&[&str]])] = &[
    (
        Serial,
        &[
            &[
                "serial",
                "serialnumber",
                "serialno",
                "serialnr",
                "serialnum",
                "sn",
                "tokenserial",
                "tokenserialnumber",
                "tokenserialno",
                "tokensn",
                "serialnumberoftoken",
                "seriennummer",
                "seriennr",
                "tokenseriennummer",
                "serienummer",
                "serienr",
                "numerodeserie",
                "numeroserie",
                "nodeserie",
                "ndeserie",
                "nserie",
                "serie",
                "numerodiserie",
                "numerodiseriale",
                "numeroseriale",
                "seriale",
                "matricola",
                "シリアル番号",
                "シリアルナンバー",
                "シリアル",
                "シリアルno",
                "製造番号",
                "製品番号",
                "トークンシリアル番号",
                "numerseryjny",
                "nrseryjny",
                "序列号",
                "序號",
                "序列號",
                "令牌序列号",
            ],
            &[
                "tokenid",
                "tokenidentifier",
                "tokennumber",
                "tokenno",
                "tokennummer",
                "deviceserial",
                "deviceid",
                "deviceserialnumber",
                "hardwareid",
                "otpserial",
                "keyserial",
                "tokenname",
            ],
            &["id", "identifier", "keyid", "kennung", "identifiant", "identificador", "identificativo"],
        ],
    ),
    (
        Secret,
        &[
            &[
                "secret",
                "secretkey",
                "seed",
                "tokenseed",
                "tokensecret",
                "tokenkey",
                "sharedsecret",
                "sharedkey",
                "hexkey",
                "hexseed",
                "seedhex",
                "secrethex",
                "secretkeyhex",
                "keyhex",
                "base32",
                "base32seed",
                "base32secret",
                "secretbase32",
                "secretkeybase32",
                "seedbase32",
                "otpkey",
                "otpsecret",
                "otpseed",
                "totpsecret",
                "hotpsecret",
                "secretseed",
                "seedkey",
                "seedvalue",
                "secretvalue",
                "tokenseedhex",
                "oathsecret",
                "oathkey",
                "geheimnis",
                "geheimerschluessel",
                "geheimerschlussel",
                "geheimschluessel",
                "geheimschlussel",
                "clesecrete",
                "secretpartage",
                "graine",
                "clavesecreta",
                "secreto",
                "semilla",
                "chiavesegreta",
                "segreto",
                "seme",
                "geheimesleutel",
                "geheim",
                "秘密鍵",
                "秘密キー",
                "シークレット",
                "シークレットキー",
                "シード",
                "共有鍵",
                "共有秘密鍵",
                "共有シークレット",
                "chavesecreta",
                "segredo",
                "semente",
                "hemlignyckel",
                "hemmelignøgle",
                "hemmelignøkkel",
                "tajnyklucz",
                "密钥",
                "密鑰",
                "金鑰",
                "种子",
                "种子密钥",
                "種子",
            ],
            &[
                "key",
                "keydata",
                "keyvalue",
                "schluessel",
                "schlussel",
                "cle",
                "clave",
                "chiave",
                "sleutel",
                "chave",
                "nyckel",
                "nøgle",
                "nøkkel",
                "klucz",
                "鍵",
                "キー",
            ],
        ],
    ),
    (
        Kind,
        &[
            &[
                "otptype",
                "oathtype",
                "tokentype",
                "type",
                "kind",
                "typ",
                "tokentyp",
                "tipo",
                "tipodetoken",
                "typedetoken",
                "tipotoken",
                "soort",
                "種類",
                "種別",
                "タイプ",
            ],
            &["mode", "modus"],
        ],
    ),
    (
        Algorithm,
        &[&[
            "algorithm",
            "hash",
            "hashlib",
            "hashalgorithm",
            "hashalgorithmus",
            "hashalgo",
            "algo",
            "algorithmus",
            "algorithme",
            "algorithmedehachage",
            "algoritmo",
            "algoritmodehash",
            "algoritme",
            "算法",
            "演算法",
            "otpalgorithm",
            "hmactype",
            "hmac",
            "hmacalgorithm",
            "hmachash",
            "hashfunction",
            "hashverfahren",
            "アルゴリズム",
            "ハッシュ",
        ]],
    ),
    (
        Digits,
        &[
            &[
                "digits",
                "otplength",
                "otplen",
                "otpdigits",
                "codelength",
                "codelange",
                "codelaenge",
                "numberofdigits",
                "tokenlength",
                "stellen",
                "anzahlstellen",
                "stellenzahl",
                "ziffern",
                "anzahlziffern",
                "chiffres",
                "nombredechiffres",
                "digitos",
                "numerodedigitos",
                "cifre",
                "numerodicifre",
                "cifers",
                "cijfers",
                "aantalcijfers",
                "桁数",
                "位数",
                "位數",
                "siffror",
                "cyfry",
                "桁",
            ],
            &["length", "laenge", "lange", "longueur", "longitud", "lunghezza", "lengte"],
        ],
    ),
    (
        Period,
        &[&[
            "timeinterval",
            "timeintervalseconds",
            "interval",
            "intervalseconds",
            "period",
            "periodseconds",
            "timestep",
            "timestepseconds",
            "timeperiod",
            "step",
            "intervall",
            "zeitintervall",
            "zeitschritt",
            "periode",
            "intervalle",
            "intervalledetemps",
            "pasdetemps",
            "intervalo",
            "intervalodetiempo",
            "periodo",
            "intervallo",
            "intervalloditempo",
            "tijdsinterval",
            "tijdinterval",
            "duree",
            "dureeensecondes",
            "intervallinsekunden",
            "intervalinseconds",
            "periodinseconds",
            "timestepinseconds",
            "timeintervalinseconds",
            "zeitintervallinsekunden",
            "zeitschrittinsekunden",
            "periodeinsekunden",
            "tijdstap",
            "間隔",
            "時間間隔",
            "タイムステップ",
            "timestepsize",
            "stepsize",
            "stepseconds",
            "refreshinterval",
            "otpinterval",
            "otpperiod",
            "intervalodetempo",
            "tidsintervall",
            "tidsinterval",
            "interwał",
            "时间间隔",
            "时间步长",
            "周期",
            "期間",
        ]],
    ),
    (
        Counter,
        &[&[
            "counter",
            "event",
            "eventcounter",
            "movingfactor",
            "initialcounter",
            "zaehler",
            "zahler",
            "compteur",
            "contador",
            "contatore",
            "teller",
            "カウンタ",
            "カウンター",
        ]],
    ),
    (
        Movement,
        &[&[
            "intervalorevent",
            "periodorcounter",
            "counterorperiod",
            "intervalorcounter",
            "intervalcounter",
            "periodcounter",
            "counterperiod",
            "timeintervalcounter",
        ]],
    ),
    (
        Vendor,
        &[
            &[
                "manufacturer",
                "vendor",
                "maker",
                "hersteller",
                "fabricant",
                "fabricante",
                "produttore",
                "fabbricante",
                "fabrikant",
                "メーカー",
                "製造元",
                "製造者",
            ],
            &["brand", "supplier", "issuer", "marke", "lieferant", "marque", "marca", "merk"],
        ],
    ),
    (
        Model,
        &[
            &["model", "tokenmodel", "modell", "modele", "modelo", "modello", "型号", "型號", "型番", "モデル"],
            &["product", "productname", "produkt", "produit", "producto", "prodotto"],
        ],
    ),
    (
        Owner,
        &[&[
            "upn",
            "userprincipalname",
            "userprinciplename",
            "user",
            "username",
            "userid",
            "login",
            "loginname",
            "owner",
            "email",
            "mail",
            "emailaddress",
            "account",
            "accountname",
            "assignedto",
            "benutzer",
            "benutzername",
            "besitzer",
            "inhaber",
            "anmeldename",
            "utilisateur",
            "nomdutilisateur",
            "proprietaire",
            "usuario",
            "nombredeusuario",
            "utente",
            "nomeutente",
            "gebruiker",
            "gebruikersnaam",
            "ユーザー",
            "ユーザー名",
            "ユーザ",
            "ユーザ名",
            "メールアドレス",
        ]],
    ),
    (
        Beside,
        &[&[
            "no",
            "nr",
            "number",
            "index",
            "row",
            "rownumber",
            "line",
            "position",
            "pos",
            "item",
            "lfdnr",
            "zeile",
            "nummer",
            "num",
            "numero",
            "regel",
            "番号",
            "comment",
            "comments",
            "remark",
            "remarks",
            "note",
            "notes",
            "description",
            "bemerkung",
            "bemerkungen",
            "kommentar",
            "beschreibung",
            "commentaire",
            "remarque",
            "comentario",
            "observaciones",
            "descripcion",
            "commento",
            "osservazioni",
            "descrizione",
            "opmerking",
            "opmerkingen",
            "omschrijving",
            "備考",
            "date",
            "datum",
            "fecha",
            "日付",
            "expiry",
            "expirydate",
            "expirationdate",
            "manufacturedate",
            "productiondate",
            "deliverydate",
            "order",
            "ordernumber",
            "orderno",
            "batch",
            "batchnumber",
            "batchno",
            "lot",
            "charge",
            "bestellnummer",
            "location",
            "standort",
            "department",
            "abteilung",
            "displayname",
            "firstname",
            "lastname",
            "vorname",
            "nachname",
        ]],
    ),
];

/// A heading in a form that can be compared: lower case, without accents, blanks and punctuation; letters of full width
/// as those of ASCII.
fn folded(heading: &str) -> String {
    let mut folded = String::with_capacity(heading.len());
    for letter in heading.chars().flat_map(char::to_lowercase) {
        let plain = match letter {
            // Of `Nº`: an abbreviation, and no letter of the word.
            'º' | 'ª' => continue,
            '\u{ff66}'..='\u{ff9d}' => full_width(letter),
            // The marks of half-width kana stand behind the letter that they change.
            '\u{ff9e}' | '\u{ff9f}' => {
                let shift = if letter == '\u{ff9e}' { 1 } else { 2 };
                let voiced = folded.pop().and_then(|last| char::from_u32(u32::from(last) + shift));
                folded.extend(voiced);
                continue;
            }
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
            'ç' => 'c',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            'ñ' => 'n',
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ß' => {
                folded.push('s');
                's'
            }
            '\u{ff01}'..='\u{ff5e}' => u32::from(letter).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(letter),
            letter => letter,
        };
        if plain.is_alphanumeric() || plain == 'ー' {
            folded.push(plain);
        }
    }
    folded
}

/// A half-width kana as the usual one.
fn full_width(letter: char) -> char {
    const KANA: &str = "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";
    let place = u32::from(letter).saturating_sub(0xff66) as usize;
    KANA.chars().nth(place).unwrap_or(letter)
}

/// A heading with what it was found to be.
struct Found {
    meaning: Meaning,
    rank: usize,
    encoding: Option<Encoding>,
}

/// The meaning of a heading: as it stands, else without the part in brackets (`Secret Key (HEX)`).
fn look_up(heading: &str) -> Option<Found> {
    let bare = heading.split(['(', '[', '（']).next().unwrap_or_default();
    let whole = folded(heading);
    let encoding = match () {
        () if whole.ends_with("hex") || whole.starts_with("hex") => Some(Encoding::Hex),
        () if whole.ends_with("base32") || whole.starts_with("base32") => Some(Encoding::Base32),
        () => None,
    };
    for name in [whole, folded(bare)] {
        for (meaning, ranks) in NAMES {
            if let Some(rank) = ranks.iter().position(|names| names.contains(&name.as_str())) {
                return Some(Found { meaning: *meaning, rank, encoding });
            }
        }
    }
    // In two languages: `Seriennummer / Serial Number`.
    let mut parts = heading.split('/').map(str::trim);
    let first = parts.next().filter(|part| part.len() < heading.trim().len()).and_then(look_up)?;
    parts.all(|part| look_up(part).is_some_and(|other| other.meaning == first.meaning)).then_some(first)
}

/// A header, column by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Header {
    /// It names all that is needed.
    Columns(Headings),
    /// It names the secret and not the serial number, or the other way round.
    Missing(&'static str),
    /// Two columns of one rank for one meaning.
    Twice { meaning: &'static str, first: String, second: String },
    /// The line is no header.
    None,
}

/// The names of a table's columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Headings {
    /// The column of each meaning that the header names.
    pub(super) columns: Vec<(Meaning, usize)>,
    /// The columns whose headings say that they are not needed.
    beside: Vec<(Meaning, usize)>,
    /// The headings that mean nothing known.
    pub(super) unknown: Vec<String>,
    /// The encoding that the heading of the secret names.
    pub(super) encoding: Option<Encoding>,
    /// The kind that the heading of the secret names: `HOTP Secret`.
    pub(super) kind: Option<KindName>,
    /// The number of columns that it has a heading for.
    pub(super) width: usize,
    /// The columns without heading, one bit each.
    pub(super) unnamed: u64,
}

impl Headings {
    /// The meaning of a column's heading, where the column is not read.
    pub(super) fn meaning(&self, column: usize) -> Option<&'static str> {
        self.beside.iter().find(|(_, other)| *other == column).map(|(meaning, _)| meaning.word())
    }
}

/// Reads a header.
pub(super) fn read(record: &SplitLine<'_>) -> Header {
    let mut headings = Headings { width: record.width(), ..Headings::default() };
    let mut best: Vec<(Meaning, usize, usize)> = Vec::new();
    let mut losers = Vec::new();
    let mut twice = None;
    for (column, field) in record.fields().iter().enumerate().take(headings.width) {
        if field.is_empty() {
            headings.unnamed |= 1 << column.min(63);
            continue;
        }
        let Some(Found { meaning, rank, encoding }) = look_up(&characters::words(field)) else {
            headings.unknown.push(shown(record, column));
            continue;
        };
        if meaning == Secret && best.iter().all(|(other, _, best)| *other != Secret || rank < *best) {
            headings.encoding = encoding;
            headings.kind = kind_in(&characters::words(field));
        }
        if matches!(meaning, Owner | Beside) {
            headings.beside.push((meaning, column));
        }
        match best.iter_mut().find(|(other, ..)| *other == meaning) {
            None => best.push((meaning, column, rank)),
            Some(_) if matches!(meaning, Owner | Beside) => {}
            Some((_, first, other)) if *other == rank => {
                twice.get_or_insert((meaning, rank, *first, column));
            }
            Some((_, first, other)) if rank < *other => {
                losers.push((meaning, *first));
                (*first, *other) = (column, rank);
            }
            Some(_) => losers.push((meaning, column)),
        }
    }
    let names = |meaning| best.iter().any(|(other, ..)| *other == meaning);
    match (names(Serial), names(Secret)) {
        (false, false) => return Header::None,
        (true, false) => return Header::Missing("secret"),
        (false, true) => return Header::Missing("serial number"),
        (true, true) => {}
    }
    if let Some((meaning, rank, first, second)) = twice
        && best.iter().any(|(other, _, best)| *other == meaning && *best == rank)
    {
        let (first, second) = (shown(record, first), shown(record, second));
        return Header::Twice { meaning: meaning.word(), first, second };
    }
    // A row number beside the serial number is nothing to wonder about; any other second candidate is.
    headings.unknown.extend(losers.iter().filter(|(meaning, _)| *meaning != Serial).map(|(_, at)| shown(record, *at)));
    headings.columns = best.into_iter().map(|(meaning, column, _)| (meaning, column)).collect();
    Header::Columns(headings)
}

/// The kind of token that a heading names.
fn kind_in(heading: &str) -> Option<KindName> {
    let folded = folded(heading);
    match (folded.contains("hotp"), folded.contains("totp")) {
        (true, false) => Some(KindName::Hotp),
        (false, true) => Some(KindName::Totp),
        _ => None,
    }
}

/// The longest heading that is repeated, in characters.
const LONGEST: usize = 40;

/// A heading as it may be repeated; the number of the column where it looks like a secret.
pub(super) fn shown(record: &SplitLine<'_>, column: usize) -> String {
    let field = record.field(column);
    if field.is_empty() || seed_encoding::looks_like_secret(field) || seed_encoding::may_be_secret(field) {
        return format!("column {}", column + 1);
    }
    characters::words(field).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed_files::delimited::Separator;

    fn header(line: &str) -> Header {
        read(&SplitLine::split(line.as_bytes(), Separator::Character(b',')).unwrap())
    }

    fn columns(line: &str) -> Headings {
        match header(line) {
            Header::Columns(headings) => headings,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn at(headings: &Headings, meaning: Meaning) -> Option<usize> {
        headings.columns.iter().find(|(other, _)| *other == meaning).map(|(_, column)| *column)
    }

    #[test]
    fn every_name_is_written_as_folding_leaves_it_and_has_one_meaning() {
        let names: Vec<_> = NAMES.iter().flat_map(|(_, ranks)| ranks.iter().flat_map(|names| names.iter())).collect();
        for name in &names {
            assert_eq!(folded(name), name.replace(' ', ""), "{name}");
        }
        for (meaning, ranks) in NAMES {
            for name in ranks.iter().flat_map(|names| names.iter()) {
                let found = look_up(name).unwrap();
                assert_eq!(found.meaning, *meaning, "{name}");
            }
        }
    }

    #[test]
    fn headers_are_read_in_the_languages_of_vendors() {
        for line in [
            "Serial Number,Secret Key,Time Interval,Digits,Manufacturer,Model",
            "Seriennummer,Geheimer Schlüssel,Zeitintervall,Stellen,Hersteller,Modell",
            "Serien-Nr.,Geheimschluessel,Intervall,Ziffern,Hersteller,Modell",
            "Numéro de série,Clé secrète,Intervalle,Nombre de chiffres,Fabricant,Modèle",
            "N° de série,Graine,Période,Chiffres,Fabricant,Modèle",
            "Número de serie,Clave secreta,Intervalo,Dígitos,Fabricante,Modelo",
            "Numero di serie,Chiave segreta,Intervallo,Cifre,Produttore,Modello",
            "Serienummer,Geheime sleutel,Tijdsinterval,Cijfers,Fabrikant,Model",
            "シリアル番号,秘密鍵,時間間隔,桁数,メーカー,型番",
            "ＳＥＲＩＡＬ,ＳＥＣＲＥＴ,ＰＥＲＩＯＤ,ＤＩＧＩＴＳ,ＶＥＮＤＯＲ,ＭＯＤＥＬ",
        ] {
            let headings = columns(line);
            let places = [Serial, Secret, Period, Digits, Vendor, Model].map(|meaning| at(&headings, meaning));
            assert_eq!(places, [0, 1, 2, 3, 4, 5].map(Some), "{line}");
            assert!(headings.unknown.is_empty(), "{line}: {:?}", headings.unknown);
        }
    }

    #[test]
    fn the_better_name_wins_in_any_order_and_two_of_one_rank_are_refused_by_name() {
        for line in
            ["ID,Serial Number,Secret", "Serial Number,Secret,ID", "Secret,ID,Serial Number", "Token ID,SN,Seed"]
        {
            let headings = columns(line);
            let best = line.split(',').position(|name| matches!(name, "Serial Number" | "SN"));
            assert_eq!(at(&headings, Serial), best, "{line}");
        }
        let two = Header::Twice {
            meaning: "serial number",
            first: "Serial Number".to_owned(),
            second: "Token Serial".to_owned(),
        };
        assert_eq!(header("Serial Number,Secret,Token Serial"), two);
        assert!(matches!(header("sn,seed (hex),seed (base32)"), Header::Twice { meaning: "secret", .. }));
        assert!(matches!(header("sn,seed,period,interval"), Header::Twice { meaning: "period", .. }));
    }

    #[test]
    fn what_is_not_known_is_named_unless_it_looks_like_a_secret() {
        let headings = columns("Serial,Colour,Secret,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,UPN,No.");
        assert_eq!(headings.unknown, ["Colour", "column 4"]);
        assert_eq!(columns("Serial,Secret Key (HEX)").encoding, Some(Encoding::Hex));
        assert_eq!(columns("Serial,Seed [Base32]").encoding, Some(Encoding::Base32));
    }

    #[test]
    fn a_header_without_a_needed_column_is_told_from_a_row() {
        assert_eq!(header("serial,interval"), Header::Missing("secret"));
        assert_eq!(header("upn,secret"), Header::Missing("serial number"));
        assert_eq!(header("1234567891234,JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G"), Header::None);
    }
}
