//! The shape of a GraphQL document (GraphQL specification, section 2), read in one pass without building it.

/// Definitions whose depth and spreads are remembered.
const MAX_FRAGMENTS: usize = 256;
/// Uses of fragments that are followed.
const MAX_SPREADS: usize = 2_048;
/// Selections inside each other that are told apart.
const MAX_DEPTH: u32 = 256;

/// What a document asks for, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// Fields inside each other, through fragments; questions for the schema left out.
    pub depth: u32,
    /// The most aliases of one field in one selection.
    pub aliases: u32,
    /// The most times one field stands in one selection under its own name.
    pub repeats: u32,
    /// The most directives in a row.
    pub directives: u32,
    /// `__schema` or `__type` is asked for.
    pub introspection: bool,
    /// All types of the schema are asked for.
    pub whole_schema: bool,
    /// A fragment contains itself.
    pub circle: bool,
    /// There are more fragments or spreads than are followed.
    pub unread: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'d> {
    Name(&'d str),
    Sign(u8),
    Spread,
}

#[derive(Default)]
struct Lexer<'d> {
    text: &'d str,
    at: usize,
}

impl<'d> Lexer<'d> {
    fn skip_while(&mut self, holds: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| !holds(*byte)).unwrap_or(rest.len());
    }

    /// The next token; strings and comments are passed over.
    fn next(&mut self) -> Option<Token<'d>> {
        loop {
            let start = self.at;
            let rest = self.text.as_bytes().get(start..)?;
            match rest.first()? {
                b'#' => self.skip_while(|byte| !matches!(byte, b'\n' | b'\r')),
                b'"' => self.string(rest),
                b'.' => {
                    self.skip_while(|byte| byte == b'.');
                    return Some(Token::Spread);
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    self.skip_while(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
                    return self.text.get(start..self.at).map(Token::Name);
                }
                sign @ (b'{' | b'}' | b'(' | b')' | b'[' | b']' | b':' | b'@' | b'$') => {
                    self.at += 1;
                    return Some(Token::Sign(*sign));
                }
                _ => self.at += 1,
            }
        }
    }

    fn string(&mut self, rest: &[u8]) {
        let block = rest.starts_with(b"\"\"\"");
        self.at += if block { 3 } else { 1 };
        let mut escaped = false;
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            self.at += 1;
            let ends = match (byte, block) {
                (b'"', false) => !escaped,
                (b'"', true) => {
                    !escaped && self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(b"\"\""))
                }
                (b'\n', false) => true,
                _ => false,
            };
            escaped = *byte == b'\\' && !escaped;
            if ends {
                self.at += if block { 2 } else { 0 };
                return;
            }
        }
    }
}

/// An operation or a fragment.
#[derive(Clone, Copy, Default)]
struct Definition<'d> {
    /// Empty for operations.
    name: &'d str,
    depth: u32,
}

/// `...name` inside a definition, so many fields deep.
struct Spread<'d> {
    within: usize,
    depth: u32,
    name: &'d str,
}

/// Measures a document as far as it can be read, in time linear in it but for a sort of its fields.
pub fn measure(document: &str) -> Shape {
    let mut reader = Reader { lexer: Lexer { text: document, at: 0 }, shape: Shape::default(), ..Reader::default() };
    reader.read();
    reader.count_fields();
    reader.follow_spreads();
    reader.shape
}

#[derive(Default)]
struct Reader<'d> {
    lexer: Lexer<'d>,
    shape: Shape,
    definitions: Vec<Definition<'d>>,
    spreads: Vec<Spread<'d>>,
    /// Selection, name and whether it has an alias, of every field.
    fields: Vec<(u32, &'d str, bool)>,
}

impl<'d> Reader<'d> {
    fn read(&mut self) {
        // The selections that are open, by number, with their depth; a selection in `... on T { }` is that around it.
        let mut open: Vec<(u32, u32)> = Vec::new();
        let mut beyond = 0_u32;
        let (mut selections, mut arguments, mut directives) = (0, 0_u32, 0);
        // Depth at which the schema was asked for, until that selection closes.
        let mut schema_at: Option<usize> = None;
        let mut head: (&str, &str) = ("", "");
        let mut inline = false;
        let mut previous = Token::Sign(b'{');
        let mut token = self.lexer.next();
        while let Some(current) = token {
            token = self.lexer.next();
            match current {
                Token::Sign(b'(' | b'[') => arguments += 1,
                Token::Sign(b')' | b']') => arguments = arguments.saturating_sub(1),
                // Braces in arguments are values.
                _ if arguments > 0 => {}
                Token::Sign(b'{') if open.is_empty() => {
                    let name = if head.0 == "fragment" { head.1 } else { "" };
                    if self.definitions.len() >= MAX_FRAGMENTS {
                        self.shape.unread = true;
                        return;
                    }
                    self.definitions.push(Definition { name, depth: 0 });
                    selections += 1;
                    open.push((selections, depth(&open) + 1));
                }
                Token::Sign(b'{') => {
                    if open.len() >= MAX_DEPTH as usize {
                        beyond += 1;
                    } else if inline {
                        open.extend(open.last().copied());
                    } else {
                        selections += 1;
                        open.push((selections, depth(&open) + 1));
                    }
                    inline = false;
                }
                Token::Sign(b'}') => {
                    if beyond > 0 {
                        beyond -= 1;
                    } else {
                        open.pop();
                    }
                    if open.is_empty() {
                        head = ("", "");
                    }
                    if schema_at.is_some_and(|at| open.len() <= at) {
                        schema_at = None;
                    }
                    inline = false;
                }
                Token::Sign(b'@') => {
                    directives += 1;
                    self.shape.directives = self.shape.directives.max(directives);
                }
                Token::Name(name) if open.is_empty() => {
                    head = if head.0.is_empty() {
                        (name, "")
                    } else if head.1.is_empty() {
                        (head.0, name)
                    } else {
                        head
                    }
                }
                Token::Name(_) if previous == Token::Sign(b'@') => {}
                Token::Name("on") if previous == Token::Spread => {}
                Token::Name(_) if previous == Token::Name("on") && inline => {}
                Token::Name(name) if previous == Token::Spread => {
                    inline = false;
                    self.spread(name, &open);
                }
                // An alias: the field follows.
                Token::Name(_) if token == Some(Token::Sign(b':')) => {}
                Token::Name(name) => {
                    directives = 0;
                    inline = false;
                    if matches!(name, "__schema" | "__type") {
                        self.shape.introspection = true;
                        schema_at = schema_at.or(Some(open.len()));
                    }
                    self.shape.whole_schema |= schema_at.is_some() && name == "types";
                    if let Some((selection, _)) = open.last() {
                        self.fields.push((*selection, name, previous == Token::Sign(b':')));
                    }
                    if schema_at.is_none()
                        && let Some(definition) = self.definitions.last_mut()
                    {
                        definition.depth = definition.depth.max(depth(&open) + beyond);
                    }
                }
                Token::Spread => inline = true,
                Token::Sign(_) => {}
            }
            previous = current;
        }
    }

    fn spread(&mut self, name: &'d str, open: &[(u32, u32)]) {
        if self.spreads.len() >= MAX_SPREADS {
            self.shape.unread = true;
            return;
        }
        let within = self.definitions.len().saturating_sub(1);
        self.spreads.push(Spread { within, depth: depth(open).saturating_sub(1), name });
    }

    fn count_fields(&mut self) {
        self.fields.sort_unstable();
        let mut run = 0;
        let mut before = None;
        for field in &self.fields {
            run = if before == Some(field) { run + 1 } else { 1 };
            let most = if field.2 { &mut self.shape.aliases } else { &mut self.shape.repeats };
            *most = run.max(*most);
            before = Some(field);
        }
    }

    /// Adds the depth of fragments where they are spread: each fragment is done once all it spreads is, and what is left then
    /// goes in circles.
    fn follow_spreads(&mut self) {
        let mut names: Vec<(&str, usize)> = self
            .definitions
            .iter()
            .enumerate()
            .filter(|(_, d)| !d.name.is_empty())
            .map(|(at, d)| (d.name, at))
            .collect();
        names.sort_unstable();
        let target = |name: &str| {
            let at = names.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
            names.get(at).map(|(_, at)| *at)
        };
        let mut edges: Vec<(usize, usize, u32)> = self
            .spreads
            .iter()
            .filter_map(|spread| Some((target(spread.name)?, spread.within, spread.depth)))
            .collect();
        edges.sort_unstable();
        let mut waiting = vec![0_u32; self.definitions.len()];
        for (_, within, _) in &edges {
            if let Some(count) = waiting.get_mut(*within) {
                *count += 1;
            }
        }
        let mut ready: Vec<usize> =
            waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(at, _)| at).collect();
        let mut done = 0;
        while let Some(fragment) = ready.pop() {
            done += 1;
            let own = self.definitions.get(fragment).map_or(0, |definition| definition.depth);
            let from = edges.partition_point(|(of, ..)| *of < fragment);
            for (_, within, depth) in edges.iter().skip(from).take_while(|(of, ..)| *of == fragment) {
                if let Some(user) = self.definitions.get_mut(*within) {
                    user.depth = user.depth.max(depth.saturating_add(own));
                }
                if let Some(count) = waiting.get_mut(*within) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(*within);
                    }
                }
            }
        }
        self.shape.circle = done < self.definitions.len();
        self.shape.depth = self.definitions.iter().map(|definition| definition.depth).max().unwrap_or(0);
    }
}

/// How deep the innermost selection lies.
fn depth(open: &[(u32, u32)]) -> u32 {
    open.last().map_or(0, |(_, depth)| *depth)
}
