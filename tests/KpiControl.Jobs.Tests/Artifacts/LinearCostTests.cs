using System.Text;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>Texts that cost careless readers the square of their length; allocation stands for work, since no clock may decide a test.</summary>
public sealed class LinearCostTests
{
    public static TheoryData<string, string, string> Texts => new()
    {
        { "", "[", "" }, { "", "{a: ", "" }, { "", "{\"a\":", "" }, { "", "- ", "" }, { "", "? ", "" }, { "", "[?", "" }, { "", "a:\n", "" }, { "", "- - \n", "" },
        { "[", "[a: b],", "]" }, { "[", "1,\n", "]" }, { "a: ", "&a ", "" }, { "", "- *a\n", "" }, { "", "- !a x\n", "" }, { "", "%TAG !a! b\n", "" },
        { "", "---\n", "" }, { "a: \"", "\\u0041", "\"" }, { "a: \"", "a \n ", "\"" }, { "a: b", "\t", "c" }, { "a: |\n", "  \n", " x" }, { "a: >\n ", "a\n\n ", "" },
        { "", "#", "" }, { "a:", " #\n", "" }, { "a: ", "9", "" }, { "a: 1e", "9", "" }, { "a: 0x", "f", "" }, { "timeout: ", "1h", "" },
        { "contract_version: 1.0.0-", "1.", "" }, { "contract_version: 1.0.0-", "a-", "!" }, { "alerts: [{channel: 'email:", "a.", "'}]" }, { "labels: [", "-,", "]" },
        { "x-a: \"", "pwd=", "\"" }, { "x-a: \"", "https://a:", "\"" }, { "x-a: \"", "eyJaaaaaaaa.", "\"" }, { "x-token: \"", "aB3", "\"" }, { "{\"a\":\"", "😀", "\"}" },
    };

    [Theory, MemberData(nameof(Texts))]
    public void Twice_the_text_costs_about_twice(string before, string unit, string after)
    {
        foreach (var format in new[] { ArtifactFormat.Yaml, ArtifactFormat.Json })
        {
            Cost(before, unit, after, 8 * 1024, format);
            var half = Cost(before, unit, after, ArtifactLimits.MaxBytes / 2, format);
            var whole = Cost(before, unit, after, ArtifactLimits.MaxBytes, format);
            Assert.InRange(whole, 0, (3 * half) + (4 << 20));
            Assert.InRange(whole, 0, 128 << 20);
        }
    }

    private static long Cost(string before, string unit, string after, int bytes, ArtifactFormat format)
    {
        var text = new StringBuilder(before);
        var size = Encoding.UTF8.GetByteCount(unit);
        for (var used = Encoding.UTF8.GetByteCount(before + after); used + size <= bytes; used += size) text.Append(unit);
        var document = Encoding.UTF8.GetBytes(text.Append(after).ToString());
        var start = GC.GetAllocatedBytesForCurrentThread();
        ArtifactReader.Read(document, format);
        return GC.GetAllocatedBytesForCurrentThread() - start;
    }
}
