//! Regions of Huawei Cloud.

use std::{borrow::Cow, fmt};

use crate::ProviderError;

/// The minimum similarity, from 0 to 1, of a suggested id.
const MIN_SIMILARITY: f64 = 0.8;
const MAX_SUGGESTIONS: usize = 3;

/// A region.
///
/// The constants are the 34 regions that the official SDKs know for DMS for Kafka.
///
/// ```
/// use huaweicloud_auth::Region;
///
/// assert_eq!(Region::AP_SOUTHEAST_1.id(), "ap-southeast-1");
/// assert_eq!(Region::new("ap-southeast-1")?, Region::AP_SOUTHEAST_1);
/// # Ok::<(), huaweicloud_auth::ProviderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region(Cow<'static, str>);

macro_rules! regions {
    ($($name:ident = $id:literal,)+) => {
        impl Region {
            $(
                #[doc = concat!("The region `", $id, "`.")]
                pub const $name: Self = Self(Cow::Borrowed($id));
            )+

            /// The regions that the official SDKs know.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

regions! {
    AE_AD_1 = "ae-ad-1",
    AF_NORTH_1 = "af-north-1",
    AF_SOUTH_1 = "af-south-1",
    AP_SOUTHEAST_1 = "ap-southeast-1",
    AP_SOUTHEAST_2 = "ap-southeast-2",
    AP_SOUTHEAST_3 = "ap-southeast-3",
    AP_SOUTHEAST_4 = "ap-southeast-4",
    AP_SOUTHEAST_5 = "ap-southeast-5",
    CN_EAST_2 = "cn-east-2",
    CN_EAST_3 = "cn-east-3",
    CN_EAST_4 = "cn-east-4",
    CN_EAST_5 = "cn-east-5",
    CN_NORTH_1 = "cn-north-1",
    CN_NORTH_11 = "cn-north-11",
    CN_NORTH_12 = "cn-north-12",
    CN_NORTH_2 = "cn-north-2",
    CN_NORTH_4 = "cn-north-4",
    CN_NORTH_9 = "cn-north-9",
    CN_SOUTH_1 = "cn-south-1",
    CN_SOUTH_2 = "cn-south-2",
    CN_SOUTH_4 = "cn-south-4",
    CN_SOUTHWEST_2 = "cn-southwest-2",
    CN_SOUTHWEST_3 = "cn-southwest-3",
    EU_WEST_0 = "eu-west-0",
    EU_WEST_101 = "eu-west-101",
    LA_NORTH_2 = "la-north-2",
    LA_SOUTH_2 = "la-south-2",
    ME_EAST_1 = "me-east-1",
    MY_KUALALUMPUR_1 = "my-kualalumpur-1",
    NA_MEXICO_1 = "na-mexico-1",
    RU_MOSCOW_1 = "ru-moscow-1",
    RU_NORTHWEST_2 = "ru-northwest-2",
    SA_BRAZIL_1 = "sa-brazil-1",
    TR_WEST_1 = "tr-west-1",
}

/// Known regions that use the global IAM in the official SDKs.
const WITHOUT_IAM: [Region; 7] = [
    Region::AF_NORTH_1,
    Region::AP_SOUTHEAST_5,
    Region::CN_NORTH_11,
    Region::CN_SOUTH_4,
    Region::CN_SOUTHWEST_3,
    Region::EU_WEST_101,
    Region::RU_NORTHWEST_2,
];

/// Regions that have a regional STS in the official SDKs.
const WITH_STS: [Region; 12] = [
    Region::AF_SOUTH_1,
    Region::AP_SOUTHEAST_1,
    Region::AP_SOUTHEAST_2,
    Region::AP_SOUTHEAST_3,
    Region::AP_SOUTHEAST_4,
    Region::CN_EAST_3,
    Region::CN_NORTH_4,
    Region::CN_SOUTH_1,
    Region::CN_SOUTHWEST_2,
    Region::LA_SOUTH_2,
    Region::SA_BRAZIL_1,
    Region::TR_WEST_1,
];

impl Region {
    /// Creates a region from its id. For a region that is not known, configure an endpoint: see
    /// [`EndpointResolver`](crate::EndpointResolver).
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ProviderErrorKind::Invalid), with the most similar known regions as candidates, unless the id
    /// consists of lower-case letters, digits and hyphens.
    pub fn new(id: impl Into<String>) -> Result<Self, ProviderError> {
        let id = id.into();
        let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if id.is_empty() || !id.bytes().all(is_id) {
            let similar = most_similar(&id.to_lowercase());
            let message = format!(
                "{id:?} is not a region id: use lower-case letters, digits and hyphens{}",
                suggestion(&similar)
            );
            return Err(ProviderError::invalid(message).with_candidates(similar));
        }
        Ok(Self(Cow::Owned(id)))
    }

    /// Returns the id, such as `ap-southeast-1`.
    pub fn id(&self) -> &str {
        &self.0
    }

    /// Whether the official SDKs know the region.
    pub fn is_known(&self) -> bool {
        Self::KNOWN.contains(self)
    }

    /// Returns the endpoint of DMS for Kafka in a known region, such as `https://dms.ap-southeast-1.myhuaweicloud.com`.
    pub fn kafka_endpoint(&self) -> Option<String> {
        let domain = if *self == Self::EU_WEST_101 {
            "myhuaweicloud.eu"
        } else {
            "myhuaweicloud.com"
        };
        self.is_known()
            .then(|| format!("https://dms.{self}.{domain}"))
    }

    pub(crate) fn iam_endpoint(&self) -> Option<String> {
        let has_iam = self.is_known() && !WITHOUT_IAM.contains(self);
        has_iam.then(|| format!("https://iam.{self}.myhuaweicloud.com"))
    }

    pub(crate) fn sts_endpoint(&self) -> Option<String> {
        WITH_STS
            .contains(self)
            .then(|| format!("https://sts.{self}.myhuaweicloud.com"))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Region {
    type Err = ProviderError;

    fn from_str(id: &str) -> Result<Self, ProviderError> {
        Self::new(id)
    }
}

/// Returns the ids of the most similar known regions, best first.
pub(super) fn most_similar(id: &str) -> Vec<String> {
    let similarity = |region: &Region| strsim::normalized_damerau_levenshtein(region.id(), id);
    let mut rated: Vec<_> = Region::KNOWN
        .iter()
        .map(|region| (similarity(region), region))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .collect();
    rated.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let most_similar = rated.into_iter().take(MAX_SUGGESTIONS);
    most_similar
        .map(|(_, region)| region.id().to_owned())
        .collect()
}

pub(super) fn suggestion(most_similar: &[String]) -> String {
    if most_similar.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", most_similar.join(", "))
    }
}
