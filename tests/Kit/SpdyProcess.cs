using Vks.Spherelet.Cri.V1;

namespace Vks.Tests.Kit;

/// <summary>An exec or attach as a SPDY client has it: one stream for each thing.</summary>
internal sealed class SpdyProcess : IAsyncDisposable
{
    private SpdyProcess(SpdyTestClient client, SpdyTestStream status) => (Client, Status) = (client, status);

    public SpdyTestClient Client { get; }

    public SpdyTestStream Status { get; }

    public SpdyTestStream? Input { get; private set; }

    public SpdyTestStream? Output { get; private set; }

    public SpdyTestStream? Error { get; private set; }

    public SpdyTestStream? Resize { get; private set; }

    public static async Task<SpdyProcess> ExecAsync(NodeLab lab, string container, bool stdin, bool tty, CancellationToken cancellationToken, params string[] command) =>
        await ConnectAsync(
            (await lab.Cri.Runtime.ExecAsync(
                new ExecRequest { ContainerId = container, Cmd = { command }, Stdin = stdin, Stdout = true, Stderr = !tty, Tty = tty },
                cancellationToken: cancellationToken)).Url,
            stdin, tty, cancellationToken);

    public static async Task<SpdyProcess> AttachAsync(NodeLab lab, string container, bool stdin, CancellationToken cancellationToken) =>
        await ConnectAsync(
            (await lab.Cri.Runtime.AttachAsync(
                new AttachRequest { ContainerId = container, Stdin = stdin, Stdout = true, Stderr = true }, cancellationToken: cancellationToken)).Url,
            stdin, tty: false, cancellationToken);

    public async ValueTask DisposeAsync() => await Client.DisposeAsync();

    private static async Task<SpdyProcess> ConnectAsync(string url, bool stdin, bool tty, CancellationToken cancellationToken)
    {
        SpdyTestClient client = await SpdyTestClient.ConnectAsync(url, cancellationToken, "v5.channel.k8s.io", "v4.channel.k8s.io");
        Assert.Equal(101, client.Status);
        SpdyProcess process = new(client, await client.OpenAsync(cancellationToken, ("streamtype", "error")));
        process.Input = stdin ? await client.OpenAsync(cancellationToken, ("streamtype", "stdin")) : null;
        process.Output = await client.OpenAsync(cancellationToken, ("streamtype", "stdout"));
        process.Error = tty ? null : await client.OpenAsync(cancellationToken, ("streamtype", "stderr"));
        process.Resize = tty ? await client.OpenAsync(cancellationToken, ("streamtype", "resize")) : null;
        return process;
    }
}
