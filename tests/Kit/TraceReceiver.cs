using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Vks.Tests.Kit;

/// <summary>A collector of spans, played: takes OTLP over gRPC on a loopback port and keeps what it needs of every span.</summary>
internal sealed class TraceReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<TraceSpan> _spans = [];

    private TraceReceiver(WebApplication app) => _app = app;

    public IReadOnlyList<TraceSpan> Spans => [.. _spans];

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string Endpoint => new Uri(_app.Urls.Single()).Authority;

    public static async Task<TraceReceiver> StartAsync(CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http2));
        TraceReceiver receiver = new(builder.Build());
        receiver._app.Run(receiver.HandleAsync);
        await receiver._app.StartAsync(cancellationToken);
        return receiver;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationTokenSource(TimeSpan.FromSeconds(2)).Token);
        await _app.DisposeAsync();
    }

    /// <summary>One unary call: five bytes (compressed?, length), the message, and trailers.</summary>
    private async Task HandleAsync(HttpContext context)
    {
        Assert.Equal("/opentelemetry.proto.collector.trace.v1.TraceService/Export", context.Request.Path);
        using MemoryStream body = new();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        byte[] bytes = body.ToArray();
        int length = (int)BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(1));
        ReadRequest(bytes.AsMemory(5, length));
        context.Response.ContentType = "application/grpc";
        context.Response.AppendTrailer("grpc-status", "0");
        await context.Response.Body.WriteAsync(new byte[5], context.RequestAborted);
    }

    /// <summary>ExportTraceServiceRequest.resource_spans = 1, ResourceSpans.scope_spans = 2, ScopeSpans.spans = 2.</summary>
    private void ReadRequest(ReadOnlyMemory<byte> request)
    {
        foreach (byte[] span in Fields(request, 1).SelectMany(resource => Fields(resource, 2)).SelectMany(scope => Fields(scope, 2)))
        {
            _spans.Enqueue(new TraceSpan(Hex(span, 1), Hex(span, 2), Hex(span, 4), Text(span, 5), Attributes(span), Fields(span, 15).Any(status => status.Length > 0)));
        }

        static string Hex(byte[] message, int number) => Convert.ToHexStringLower(Fields(message, number).FirstOrDefault() ?? []);

        static string Text(byte[] message, int number) => System.Text.Encoding.UTF8.GetString(Fields(message, number).FirstOrDefault() ?? []);

        // Span.attributes = 9, KeyValue.key = 1 and value = 2, AnyValue.string_value = 1.
        static Dictionary<string, string> Attributes(byte[] span) =>
            Fields(span, 9).ToDictionary(pair => Text(pair, 1), pair => Text(Fields(pair, 2).FirstOrDefault() ?? [], 1));
    }

    /// <summary>The length-delimited fields of that number.</summary>
    private static List<byte[]> Fields(ReadOnlyMemory<byte> message, int number)
    {
        List<byte[]> found = [];
        using CodedInputStream input = new(message.ToArray());
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            if (WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited && WireFormat.GetTagFieldNumber(tag) == number)
            {
                found.Add(input.ReadBytes().ToByteArray());
            }
            else
            {
                input.SkipLastField();
            }
        }

        return found;
    }
}

/// <summary>One span as it came.</summary>
/// <param name="TraceId">32 hex digits.</param>
/// <param name="Id">16 hex digits.</param>
/// <param name="ParentId">16 hex digits, or empty.</param>
/// <param name="Name">Its name.</param>
/// <param name="Attributes">Those that are texts; others are empty.</param>
/// <param name="HasStatus">It tells of more than a plain end: an error.</param>
internal sealed record TraceSpan(string TraceId, string Id, string ParentId, string Name, IReadOnlyDictionary<string, string> Attributes, bool HasStatus);
