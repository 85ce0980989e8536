//! Countries as ISO 3166-1 alpha-2, however a source writes their codes.

/// Alpha-3 and alpha-2 of each country, in order of the former.
const CODES: &str = "\
    ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG AUSAU AUTAT \
    AZEAZ BDIBI BELBE BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL BLRBY BLZBZ BMUBM BOLBO \
    BRABR BRBBB BRNBN BTNBT BVTBV BWABW CAFCF CANCA CCKCC CHECH CHLCL CHNCN CIVCI CMRCM CODCD COGCG \
    COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX CYMKY CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO \
    DZADZ ECUEC EGYEG ERIER ESHEH ESPES ESTEE ETHET FINFI FJIFJ FLKFK FRAFR FROFO FSMFM GABGA GBRGB \
    GEOGE GGYGG GHAGH GIBGI GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR GRDGD GRLGL GTMGT GUFGF GUMGU GUYGY \
    HKGHK HMDHM HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL ITAIT \
    JAMJM JEYJE JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB LBRLR LBYLY \
    LCALC LIELI LKALK LSOLS LTULT LUXLU LVALV MACMO MAFMF MARMA MCOMC MDAMD MDGMG MDVMV MEXMX MHLMH \
    MKDMK MLIML MLTMT MMRMM MNEME MNGMN MNPMP MOZMZ MRTMR MSRMS MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA \
    NCLNC NERNE NFKNF NGANG NICNI NIUNU NLDNL NORNO NPLNP NRUNR NZLNZ OMNOM PAKPK PANPA PCNPN PERPE \
    PHLPH PLWPW PNGPG POLPL PRIPR PRKKP PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU RWARW SAUSA \
    SDNSD SENSN SGPSG SGSGS SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR \
    SVKSK SVNSI SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO \
    TTOTT TUNTN TURTR TUVTV TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC VENVE VGBVG \
    VIRVI VNMVN VUTVU WLFWF WSMWS YEMYE ZAFZA ZMBZM ZWEZW";

/// Each entry with the blank behind it.
const ENTRY: usize = 6;

/// A country's two letters in upper case; none for what is no code.
pub(crate) fn alpha2(code: &str) -> Option<[u8; 2]> {
    let code = code.trim();
    let upper: Vec<u8> = code.bytes().map(|byte| byte.to_ascii_uppercase()).collect();
    match upper[..] {
        [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Some([a, b]),
        [_, _, _] => {
            let codes = CODES.as_bytes();
            codes.chunks(ENTRY).find(|entry| entry[..3] == upper[..]).map(|entry| [entry[3], entry[4]])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_two_and_three_letters_are_known_in_any_case() {
        for (code, country) in
            [("de", "DE"), ("DEU", "DE"), ("usa", "US"), ("GBR", "GB"), ("AFG", "AF"), ("ZWE", "ZW")]
        {
            let found = alpha2(code).expect("a country");
            assert_eq!(std::str::from_utf8(&found), Ok(country), "{code}");
        }
        for code in ["", "D", "XXX", "Germany", "1A", "ÄÖ"] {
            assert_eq!(alpha2(code), None, "{code}");
        }
    }

    #[test]
    fn each_country_is_there_once() {
        let entries: std::collections::BTreeSet<&str> = CODES.split(' ').map(|entry| &entry[3..]).collect();
        assert_eq!((entries.len(), CODES.len()), (249, 249 * ENTRY - 1));
    }
}
