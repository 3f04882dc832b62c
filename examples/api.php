<?php
// Hand a mail to the API from PHP 8, without an extension; once, however often this runs:
//
//     MAILER_KEY=mlr_... php api.php http://127.0.0.1:8025 anna@example.net order-4711
declare(strict_types=1);

/** Returns the status and the JSON of the answer. What has a request id may be asked for again, so that is done. */
function call(string $url, ?array $mail = null, int $tries = 5): array
{
    $headers = ['Authorization: Bearer ' . getenv('MAILER_KEY'), 'Content-Type: application/json'];
    $options = ['header' => $headers, 'timeout' => 30, 'ignore_errors' => true, 'follow_location' => 0];
    if ($mail !== null) {
        $options += ['method' => 'POST', 'content' => json_encode($mail, JSON_THROW_ON_ERROR)];
    }
    $stream = @fopen($url, 'r', false, stream_context_create(['http' => $options]));
    $status = 0;
    $wait = 1;
    if ($stream !== false) {
        foreach (stream_get_meta_data($stream)['wrapper_data'] as $line) {
            if (preg_match('~^HTTP/\S+ (\d+)~', $line, $found)) {
                $status = (int) $found[1];
            } elseif (preg_match('~^Retry-After: (\d+)~i', $line, $found)) {
                $wait = (int) $found[1];
            }
        }
        $body = stream_get_contents($stream);
    }
    if ($tries > 1 && ($status === 0 || $status === 429 || $status >= 500)) {
        sleep($wait);
        return call($url, $mail, $tries - 1);
    }
    if ($status === 0) {
        stop("no answer from $url");
    }
    return [$status, json_decode($body, true, 512, JSON_THROW_ON_ERROR)];
}

function stop(string $why): never
{
    fwrite(STDERR, "not sent: $why\n");
    exit(1);
}

[, $api, $person, $order] = $argv;
[$status, $taken] = call("$api/send_email", [
    'request_id' => $order,
    'from' => 'Our shop <shop@example.com>',
    'to' => [$person],
    'subject' => 'Your order',
    'text' => "$order is on its way.",
]);
if ($status !== 202) {
    stop($taken['error']['message']);
}
echo $taken['id'], ' ', $taken['repeat'] ? 'again' : 'new', "\n";

[, $message] = call("$api/status/{$taken['id']}");
foreach ($message['recipients'] as $each) {
    echo $each['address'], ' ', $each['status'], "\n";
}
