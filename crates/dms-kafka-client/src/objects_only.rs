//! Makes the generated types accept JSON objects only.

/// Implements serde's traits for a generated struct.
///
/// The derived `Deserialize` of a struct also accepts a sequence: it would read `["0", 0, "success"]` as a deleted
/// partition. `#[serde(remote = "Self")]` derives inherent functions instead, which this macro calls.
///
/// No name in it can be that of a generated type, which has no underscore at its beginning.
macro_rules! objects_only {
    ($name:ident) => {
        impl ::serde::Serialize for $name {
            fn serialize<__S: ::serde::Serializer>(
                &self,
                serializer: __S,
            ) -> ::std::result::Result<__S::Ok, __S::Error> {
                $name::serialize(self, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<__D: ::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> ::std::result::Result<Self, __D::Error> {
                struct __Object;

                impl<'de> ::serde::de::Visitor<'de> for __Object {
                    type Value = $name;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str("an object, not an array")
                    }

                    fn visit_map<__A: ::serde::de::MapAccess<'de>>(
                        self,
                        fields: __A,
                    ) -> ::std::result::Result<$name, __A::Error> {
                        $name::deserialize(::serde::de::value::MapAccessDeserializer::new(fields))
                    }
                }

                deserializer.deserialize_map(__Object)
            }
        }
    };
}
pub(crate) use objects_only;
