using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Requests;

/// <summary>Pages of a list: how many, and from where. A token belongs to the query that it came from.</summary>
/// <param name="Size">What was asked for, within bounds.</param>
/// <param name="After">The position behind the last row of the page before; null on the first page.</param>
internal sealed record Paging(int Size, string? After)
{
    private const int DefaultSize = 50, LargestSize = 1000, DigestBytes = 16;

    // The digest says that a token belongs to its query, not who made it: whoever can compute one may write any position.
    private static Exception Foreign() =>
        throw Reject.Invalid("page_token", "is not one of this query: send it with the same parameters, or start without it");

    /// <summary>The position as a number; null on the first page.</summary>
    public long? AfterNumber() => After is null ? null : Number(After);

    /// <summary>The position's parts; null on the first page.</summary>
    public string[]? AfterParts(char separator, int count) =>
        After is null ? null : After.Split(separator) is var parts && parts.Length == count ? parts : throw Foreign();

    public static long Number(string part) =>
        long.TryParse(part, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : throw Foreign();

    /// <summary>An instant that was written as its ticks.</summary>
    public static DateTimeOffset Instant(string part) =>
        Number(part) is var ticks && ticks >= 0 && ticks <= DateTimeOffset.MaxValue.UtcTicks ? new DateTimeOffset(ticks, TimeSpan.Zero) : throw Foreign();

    public static Paging Of(IMessage request)
    {
        var size = (int)Field(request, "page_size");
        if (size < 0)
            throw Reject.Invalid("page_size", "is below 0; leave it out for 50, at most 1000");
        var token = (string)Field(request, "page_token");
        return new Paging(size == 0 ? DefaultSize : Math.Min(size, LargestSize), token.Length == 0 ? null : Position(request, token));
    }

    /// <summary>The token of the page after <paramref name="position"/>.</summary>
    public static string Token(IMessage request, string position) =>
        Base64Url.EncodeToString([.. Digest(request, Encoding.UTF8.GetBytes(position)), .. Encoding.UTF8.GetBytes(position)]);

    private static string Position(IMessage request, string token)
    {
        var bytes = Base64Url.IsValid(token) ? Base64Url.DecodeFromChars(token) : [];
        // The database takes no text with a NUL, and no position of ours has one.
        return bytes.Length > DigestBytes && !bytes.AsSpan(DigestBytes).Contains((byte)0) && bytes.AsSpan(0, DigestBytes).SequenceEqual(Digest(request, bytes.AsSpan(DigestBytes)))
            ? Encoding.UTF8.GetString(bytes, DigestBytes, bytes.Length - DigestBytes)
            : throw Foreign();
    }

    private static byte[] Digest(IMessage request, ReadOnlySpan<byte> position)
    {
        var query = request.Descriptor.Parser.ParseFrom(request.ToByteString());
        query.Descriptor.FindFieldByName("page_size").Accessor.Clear(query);
        query.Descriptor.FindFieldByName("page_token").Accessor.Clear(query);
        return SHA256.HashData([.. Encoding.UTF8.GetBytes(query.Descriptor.FullName), 0, .. query.ToByteArray(), 0, .. position])[..DigestBytes];
    }

    private static object Field(IMessage request, string name) => request.Descriptor.FindFieldByName(name).Accessor.GetValue(request);
}
