//! What is read of XML, and what is refused of it.

use super::*;
use crate::selector::pointer::Pointer;
use crate::selector::trie::Trie;

/// The values at one pointer, and the marks.
fn one(text: &str, cut: bool, pointer: &str) -> (Vec<String>, ReadMarks) {
    let trie = Trie::new([&Pointer::parse(pointer).unwrap()]);
    let mut to = Collector::new(&trie, None);
    read(text, cut, &mut to);
    let found = to.finish().pop().unwrap();
    (found.values.into_iter().map(|value| value.text).collect(), found.marks)
}

fn values(text: &str, pointer: &str) -> Vec<String> {
    let (values, marks) = one(text, false, pointer);
    assert!(marks.is_empty(), "{text} {pointer}: {marks:?}");
    values
}

const ORDER: &str = r#"<?xml version="1.0" encoding="utf-8"?><!-- <order> -->
<s:order xmlns:s="urn:shop" xmlns="urn:x" id = '7' s:kind="a &lt; &quot;b&quot;">
  <s:total currency="EUR"> 12.50 </s:total>
  <item sku="A"><n>1</n></item><item sku="B"/>
  <item sku="C"><n>3</n><n>4</n></item
  >
  <note>x<![CDATA[ <&> ]]>y<!-- z -->&#x41;&#66;&amp;&apos;</note>
  <mixed> a <b>no</b> c </mixed><empty></empty><deep><er><est>9</est></er></deep>
</s:order>
<?done?>"#;

#[test]
fn pointers_lead_to_elements_and_attributes() {
    for (pointer, expected) in [
        ("/order/total", vec!["12.50"]),
        ("/order/total/@currency", vec!["EUR"]),
        ("/order/@id", vec!["7"]),
        ("/order/@kind", vec!["a < \"b\""]),
        ("/order/note", vec!["x <&> yAB&'"]),
        ("/order/mixed", vec!["a  c"]),
        ("/order/deep/er/est", vec!["9"]),
        ("/order/item/0/@sku", vec!["A"]),
        ("/order/item/1/@sku", vec!["B"]),
        ("/order/item/2/n/1", vec!["4"]),
        ("/order/item/*/@sku", vec!["A", "B", "C"]),
        ("/order/item/*/n/*", vec!["1", "3", "4"]),
        ("/order/total/0", vec!["12.50"]),
        ("/order/total/*", vec!["12.50"]),
        ("/order/item/3/@sku", vec![]),
        ("/order/@x", vec![]),
        ("/order/@s", vec![]),
        ("/order/@xmlns", vec![]),
        ("/order/empty", vec![]),
        ("/order/deep", vec![]),
        ("/total", vec![]),
        ("/*", vec![]),
    ] {
        assert_eq!(values(ORDER, pointer), expected, "{pointer}");
    }
}

#[test]
fn of_repeated_elements_the_first_wins_and_the_repetition_is_marked_unless_it_is_pointed_at() {
    assert_eq!(one(ORDER, false, "/order/item/@sku"), (vec!["A".to_owned()], ReadMarks::DUPLICATE));
    assert_eq!(one("<a b='1' b='2'/>", false, "/a/@b"), (vec!["1".to_owned()], ReadMarks::DUPLICATE));
    assert_eq!(values("<r><a><b>1</b></a><c><b>2</b></c></r>", "/r/c/b"), ["2"]);
}

#[test]
fn what_is_not_well_formed_is_marked_and_what_stood_before_it_found() {
    let faults = [
        "<b>",
        "</b></r>",
        "<b></a></r>",
        "<1",
        "<>",
        "< b/>",
        "<b c/></r>",
        "<b c=d/></r>",
        "<b c='<'/></r>",
        "<b c='x/></r>",
        "<!-- ",
        "<![CDATA[",
        "<?p",
        "</r",
        "</r><s/>",
        "</r>text",
        "</r>]]>",
        "</r><![CDATA[]]>",
    ];
    for fault in faults {
        let text = format!("<r><a>1</a>{fault}");
        assert_eq!(one(&text, false, "/r/a"), (vec!["1".to_owned()], ReadMarks::MALFORMED), "{text}");
    }
    for none in ["", "text", "{\"a\":1}", "<", "</a>", "<a", "<!-- -->"] {
        assert_eq!(one(none, false, "/r/a"), (vec![], ReadMarks::MALFORMED), "{none}");
    }
    for (text, value) in
        [("&nbsp;", "&nbsp;"), ("&", "&"), ("a&b;&lt;", "a&b;<"), ("&#0;", "&#0;"), ("&#xD800;", "&#xD800;")]
    {
        let found = one(&format!("<r><a>{text}</a></r>"), false, "/r/a");
        assert_eq!(found, (vec![value.to_owned()], ReadMarks::MALFORMED), "{text}");
    }
}

#[test]
fn a_document_type_is_not_believed() {
    let bomb = r#"<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r><a>&b;</a></r>"#;
    assert_eq!(one(bomb, false, "/r/a"), (vec![], ReadMarks::MALFORMED));
    assert_eq!(one("<r><a>1</a><!DOCTYPE r></r>", false, "/r/a"), (vec![], ReadMarks::MALFORMED));
}

#[test]
fn a_cut_document_yields_what_was_whole_and_no_fault() {
    let text = "<?xml version='1.0'?><r k='1'><!-- c --><a>12</a><![CDATA[x]]><b>3</b></r>";
    for cut in 0..text.len() {
        let (values, marks) = one(text.get(..cut).unwrap(), true, "/r/a");
        assert_eq!(marks, ReadMarks::CUT, "{cut}");
        assert_eq!(values.len(), usize::from(cut >= 49), "{cut}");
    }
}

#[test]
fn depth_holds_at_its_limit() {
    let nested = |n: usize| format!("<r><a>1</a>{}{}<b>2</b></r>", "<x>".repeat(n - 1), "</x>".repeat(n - 1));
    assert_eq!(values(&nested(MAX_DEPTH), "/r/b"), ["2"]);
    assert_eq!(one(&nested(MAX_DEPTH + 1), false, "/r/b"), (vec![], ReadMarks::CUT));
    assert_eq!(one(&nested(MAX_DEPTH + 1), false, "/r/a"), (vec!["1".to_owned()], ReadMarks::CUT));
}
