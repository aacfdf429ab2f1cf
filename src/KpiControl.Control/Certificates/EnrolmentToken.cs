using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace KpiControl.Control.Certificates;

/// <summary>256 random bits, shown once. What is stored of them cannot be turned back, and needs no salt.</summary>
internal sealed record EnrolmentToken(string Text)
{
    // Found by those who look for secrets that leaked.
    private const string Prefix = "kpienrol_";

    public static EnrolmentToken Create() => new(Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32)));

    public byte[] Hash => SHA256.HashData(Encoding.UTF8.GetBytes(Text));
}
