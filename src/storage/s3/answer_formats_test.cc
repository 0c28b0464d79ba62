#include "storage/s3/xml.h"

#include <gtest/gtest.h>

#include <map>

#include "storage/s3/flat_json.h"

namespace tarn::storage::internal {
namespace {

TEST(Xml, ReadsElementsTextAndEntities) {
  const XmlElement root = ParseXml(R"(<?xml version="1.0" encoding="UTF-8"?>
<!-- a remark -->
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/" a='b>c'>
  <IsTruncated>false</IsTruncated><Prefix/>
  <Contents><Key>a&amp;b &lt;&gt;&quot;&apos;&#233;&#x1F600;</Key><Size> 12 </Size></Contents>
  <x:Contents ><Key>two</Key><!-- inside --></x:Contents >
</ListBucketResult>
)")
                              .value();
  EXPECT_EQ(root.name, "ListBucketResult");
  EXPECT_EQ(root.ChildText("IsTruncated"), "false");
  EXPECT_NE(root.Child("Prefix"), nullptr);
  EXPECT_EQ(root.ChildText("Prefix"), "");
  EXPECT_EQ(root.Child("none"), nullptr);
  EXPECT_EQ(root.ChildText("none"), "");
  ASSERT_EQ(root.children.size(), 4u);
  EXPECT_EQ(root.children[2].ChildText("Key"), "a&b <>\"'\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(root.children[2].ChildText("Size"), " 12 ");
  EXPECT_EQ(root.children[3].name, "Contents");
}

TEST(Xml, RefusesWhatIsMalformed) {
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "<a>";
  const std::string bad[] = {"",
                             " ",
                             "text",
                             "<a>",
                             "<a></b>",
                             "<a></a><b/>",
                             "<a></a>x",
                             "<a b></a>",
                             "<a b=c></a>",
                             "<a b=\"c></a>",
                             "<a>&unknown;</a>",
                             "<a>&amp</a>",
                             "<a>&#0;</a>",
                             "<a>&#xD800;</a>",
                             "<a>&#x110000;</a>",
                             "<a>&#12x;</a>",
                             "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
                             "<a><![CDATA[x]]></a>",
                             "<a><!-- </a>",
                             "<>x</>",
                             "<a></a",
                             deep};
  for (const std::string& text : bad) {
    EXPECT_EQ(ParseXml(text).status().code(), StatusCode::kCorruption) << text;
  }
}

TEST(FlatJson, ReadsStringsAndRefusesTheRest) {
  const auto members = ParseFlatJson(" {\n \"a\" : \"x\\/y\\\"\\u003D\" , \"b\":\"\"}\n").value();
  EXPECT_EQ(members, (std::map<std::string, std::string>{{"a", "x/y\"="}, {"b", ""}}));
  EXPECT_TRUE(ParseFlatJson("{}").value().empty());
  for (const char* bad :
       {"", "{", "[]", R"({"a":1})", R"({"a":"b",})", R"({"a" "b"})", R"({"a":"b"} x)", R"({"a":"b)", R"({"a":"\x"})",
        R"({"a":"\u00g0"})", R"({"a":"\u00)", R"({"a":"\u2028"})", "{\"a\":\"\n\"}"}) {
    EXPECT_EQ(ParseFlatJson(bad).status().code(), StatusCode::kCorruption) << bad;
  }
}

}  // namespace
}  // namespace tarn::storage::internal
