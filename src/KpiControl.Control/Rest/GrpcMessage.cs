using System.Buffers.Binary;
using System.Collections.Frozen;
using System.IO.Compression;
using System.Text.Unicode;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Rest;

/// <summary>
/// The one message of a call that has one, read before Grpc.AspNetCore reads it: that logs a stack trace for each message that
/// it cannot parse, so that anybody could fill the log.
/// </summary>
internal static class GrpcMessage
{
    private const int FrameBytes = 5, Largest = 4 << 20;

    private static readonly FrozenDictionary<string, MessageDescriptor> ByPath =
        GrpcApi.Services.Concat(HealthReflection.Descriptor.Services).SelectMany(service => service.Methods).Where(method => !method.IsClientStreaming)
        .ToFrozenDictionary(method => $"/{method.Service.FullName}/{method.Name}", method => method.InputType, StringComparer.Ordinal);

    /// <exception cref="RpcException">It is none of its method.</exception>
    public static async Task DemandAsync(HttpContext context)
    {
        if (!ByPath.TryGetValue(context.Request.Path.Value ?? "", out var type))
            return;
        var body = await ReadAsync(context);
        context.Request.Body = new MemoryStream(body);
        if (Payload(body, context.Request.Headers["grpc-encoding"].ToString()) is not { } payload)
            return;
        try
        {
            type.Parser.ParseFrom(payload);
        }
        catch (InvalidProtocolBufferException)
        {
            throw Refusal(type, payload);
        }
    }

    private static async Task<byte[]> ReadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        try
        {
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        }
        catch (BadHttpRequestException)
        {
            throw Reject.TooLarge(FormattableString.Invariant($"The message is larger than {Largest >> 20} MiB, or its body ended early."));
        }
        return body.ToArray();
    }

    // Null: in an encoding that is not known here, which gRPC refuses by name.
    private static byte[]? Payload(byte[] body, string encoding)
    {
        if (body.Length < FrameBytes || BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(1)) != body.Length - FrameBytes || body[0] > 1)
            throw Reject.Invalid("", "The body is not one gRPC message: a byte 0 or 1, four bytes of length, and as many bytes as that says.");
        if (body[0] == 0)
            return body[FrameBytes..];
        using var compressed = new MemoryStream(body, FrameBytes, body.Length - FrameBytes);
        using Stream? plain = encoding switch
        {
            "gzip" => new GZipStream(compressed, CompressionMode.Decompress),
            "deflate" => new ZLibStream(compressed, CompressionMode.Decompress),
            _ => null,
        };
        return plain is null ? null : Decompress(plain, encoding);
    }

    private static byte[] Decompress(Stream plain, string encoding)
    {
        var payload = new byte[Largest + 1];
        try
        {
            var length = plain.ReadAtLeast(payload, payload.Length, throwOnEndOfStream: false);
            return length <= Largest ? payload[..length] : throw Reject.TooLarge(FormattableString.Invariant($"The message is larger than {Largest >> 20} MiB."));
        }
        catch (InvalidDataException)
        {
            throw Reject.Invalid("", $"The message is marked as compressed and is not {encoding}.");
        }
    }

    private static Exception Refusal(MessageDescriptor type, byte[] payload)
    {
        using var input = new CodedInputStream(payload);
        try
        {
            for (uint tag; (tag = input.ReadTag()) != 0;)
                if (type.FindFieldByNumber(WireFormat.GetTagFieldNumber(tag)) is { FieldType: FieldType.String } text && WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited)
                {
                    if (!Utf8.IsValid(input.ReadBytes().Span))
                        throw Reject.Invalid(text.Name, "is not UTF-8: encode text as UTF-8");
                }
                else
                    input.SkipLastField();
        }
        catch (InvalidProtocolBufferException)
        {
            // It cannot even be walked through.
        }
        throw Reject.Invalid("", $"The request is not a message {type.FullName}: encode it from the service's own descriptors (server reflection, or the protoset).");
    }
}
