// SPDX-License-Identifier: MIT OR Apache-2.0
//! A type in one line: as bpftool tells it, and as this crate reads it.

use serde_json::Value;
use ufunc_gen::btf::Type;

/// What bpftool says of a type, in the words of this crate's reader.
pub fn bpftool_line(ty: &Value) -> String {
    let text = |value: &Value, name: &str| match &value[name] {
        Value::String(text) if text == "(anon)" => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let list = |name: &str, fields: &[&str]| -> String {
        let all = ty[name].as_array().into_iter().flatten();
        let one = |value: &Value| {
            fields.iter().map(|field| text(value, field)).collect::<Vec<_>>().join(" ")
        };
        all.map(one).collect::<Vec<_>>().join(", ")
    };
    let (kind, name) = (text(ty, "kind"), text(ty, "name"));
    match kind.as_str() {
        "STRUCT" | "UNION" => {
            let members = ty["members"].as_array().into_iter().flatten();
            let members: Vec<_> = members
                .map(|member| {
                    let bits = member["bitfield_size"].as_u64().unwrap_or(0);
                    format!(
                        "{} {} {} {bits}",
                        text(member, "name"),
                        member["type_id"],
                        member["bits_offset"]
                    )
                })
                .collect();
            format!("{kind} {name} {} {}", ty["size"], members.join(", "))
        }
        "ENUM" => {
            let values = ty["values"].as_array().into_iter().flatten();
            // It prints the 32 bits of unsigned values, too, as if they were signed and then more.
            let value = |value: &Value| value["val"].as_i64().unwrap_or(-1) as u32;
            let values: Vec<_> =
                values.map(|one| format!("{} {}", text(one, "name"), value(one))).collect();
            format!("{kind} {name} {} {}", ty["size"], values.join(", "))
        }
        "ENUM64" => {
            format!("{kind} {name} {} {}", ty["size"], list("values", &["name", "val"]))
        }
        "ARRAY" => format!("{kind} {} {} {}", ty["type_id"], ty["index_type_id"], ty["nr_elems"]),
        "FUNC_PROTO" => {
            format!("{kind} {} {}", ty["ret_type_id"], list("params", &["name", "type_id"]))
        }
        "INT" => format!("{kind} {name} {} {} {}", ty["size"], text(ty, "encoding"), ty["nr_bits"]),
        "FLOAT" => format!("{kind} {name} {}", ty["size"]),
        "FWD" => format!("{kind} {name} {}", text(ty, "fwd_kind")),
        "FUNC" | "VAR" => format!("{kind} {name} {} {}", ty["type_id"], text(ty, "linkage")),
        "DATASEC" => {
            format!("{kind} {name} {} {}", ty["size"], list("vars", &["type_id", "offset", "size"]))
        }
        _ => format!("{kind} {name} {}", ty["type_id"]),
    }
}

/// The same of a type that this crate has read.
pub fn own_line(ty: &Type<'_>) -> String {
    let (kind, name) = (ty.kind_name(), ty.name());
    match ty {
        Type::Struct(composite) | Type::Union(composite) => {
            let members: Vec<_> = composite
                .members
                .iter()
                .map(|m| format!("{} {} {} {}", m.name, m.ty.0, m.bit_offset, m.bitfield_size))
                .collect();
            format!("{kind} {name} {} {}", composite.size, members.join(", "))
        }
        Type::Enum { size, values, .. } => {
            let values: Vec<_> = values.iter().map(|(name, v)| format!("{name} {v}")).collect();
            format!("{kind} {name} {size} {}", values.join(", "))
        }
        Type::Enum64 { size, signed, values, .. } => {
            let value =
                |value: u64| if *signed { (value as i64).to_string() } else { value.to_string() };
            let values: Vec<_> =
                values.iter().map(|(name, v)| format!("{name} {}", value(*v))).collect();
            format!("{kind} {name} {size} {}", values.join(", "))
        }
        Type::Array { element, index, count } => {
            format!("{kind} {} {} {count}", element.0, index.0)
        }
        Type::FuncProto { ret, params } => {
            let params: Vec<_> = params.iter().map(|p| format!("{} {}", p.name, p.ty.0)).collect();
            format!("{kind} {} {}", ret.0, params.join(", "))
        }
        Type::Int { size, encoding, bits, .. } => {
            let encoding = match (encoding.signed, encoding.char, encoding.bool) {
                (true, ..) => "SIGNED",
                (_, true, _) => "CHAR",
                (.., true) => "BOOL",
                _ => "(none)",
            };
            format!("{kind} {name} {size} {encoding} {bits}")
        }
        Type::Float { size, .. } => format!("{kind} {name} {size}"),
        Type::Fwd { union, .. } => {
            format!("{kind} {name} {}", if *union { "union" } else { "struct" })
        }
        Type::Func { proto: target, linkage, .. } | Type::Var { target, linkage, .. } => {
            let linkage = format!("{linkage:?}").to_lowercase();
            format!("{kind} {name} {} {linkage}", target.0)
        }
        Type::Datasec { size, vars, .. } => {
            let vars: Vec<_> =
                vars.iter().map(|(id, offset, size)| format!("{} {offset} {size}", id.0)).collect();
            format!("{kind} {name} {size} {}", vars.join(", "))
        }
        Type::Ptr(target)
        | Type::Const(target)
        | Type::Volatile(target)
        | Type::Restrict(target) => {
            format!("{kind} {name} {}", target.0)
        }
        Type::Typedef { target, .. }
        | Type::DeclTag { target, .. }
        | Type::TypeTag { target, .. } => {
            format!("{kind} {name} {}", target.0)
        }
    }
}
